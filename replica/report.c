/* SPDX-License-Identifier: BSD-2-Clause */
#include "replica/report.h"

#include <dirent.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vr/replica.h"

#define NEVER       UINT64_MAX /* status.def: a time that has not come */
#define REASON_SIZE 160

static uint64_t field_u64(const void *from, const struct node_field *f)
{
    return *(const uint64_t *)((const char *)from + f->offset);
}

static int64_t field_peer(const void *from, const struct node_field *f)
{
    return *(const int64_t *)((const char *)from + f->offset);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *field_json(const void *from, const struct node_field *f)
{
    const void *at = (const char *)from + f->offset;
    const struct vstamp_id *id = at;
    const char *const *text = at;

    switch (f->type) {
    case NODE_FIELD_U64:
        return field_u64(from, f) == NEVER ? json_null()
                                           : json_integer((json_int_t)field_u64(from, f));
    case NODE_FIELD_BOOL:
        return json_boolean(field_u64(from, f) != 0);
    case NODE_FIELD_PEER:
        return field_peer(from, f) < 0 ? json_null() : json_integer(field_peer(from, f));
    case NODE_FIELD_TEXT:
        return json_string(*text);
    case NODE_FIELD_ID:
        return json_sprintf("%016" PRIx64 "%016" PRIx64, id->hi, id->lo);
    }
    return NULL;
}

static json_t *fields_json(const void *from, const struct node_field *fields, size_t n)
{
    json_t *object = json_object();

    for (size_t i = 0; i < n; i++)
        json_object_set_new(object, fields[i].name, field_json(from, &fields[i]));
    return object;
}

static char *dump(json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    return text;
}

char *report_status(const struct node_status *status)
{
    json_t *object = fields_json(status, node_status_fields, node_n_status_fields);
    json_t *peers = json_array();

    for (size_t i = 0; i < status->n_peers; i++)
        json_array_append_new(peers, fields_json(&status->peers[i], node_peer_status_fields,
                                                 node_n_peer_status_fields));
    json_object_set_new(object, "peers", peers);
    return dump(object);
}

/* --- readiness -------------------------------------------------------------------------------- */

/* Why not to send it traffic; an empty sentence if there is no reason. */
static void find_reason(const struct node_status *s, uint64_t contact_ms_max,
                        char reason[static REASON_SIZE])
{
    size_t majority = (s->n_peers + 1) / 2 + 1, heard = 1, i;
    bool from_primary = false;

    reason[0] = '\0';
    for (i = 0; i < s->n_peers; i++) {
        if (s->peers[i].last_contact_ms > contact_ms_max) continue;
        heard++;
        if ((int64_t)s->peers[i].replica == s->primary) from_primary = true;
    }
    if (strcmp(s->status, "normal") != 0)
        snprintf(reason, REASON_SIZE, "%s%s%s", s->status, s->reason[0] != '\0' ? ": " : "",
                 s->reason);
    else if (strcmp(s->role, "primary") == 0 && heard < majority)
        snprintf(reason, REASON_SIZE,
                 "in contact with %zu of %zu replicas, itself included; %zu needed", heard,
                 s->n_peers + 1, majority);
    else if (strcmp(s->role, "primary") != 0 && !from_primary)
        snprintf(reason, REASON_SIZE, "primary %" PRId64 " was not heard for %" PRIu64 " ms",
                 s->primary, contact_ms_max);
}

bool report_ready(const struct node_status *status, uint64_t contact_ms_max, char **text)
{
    json_t *object = json_object();
    char reason[REASON_SIZE];

    find_reason(status, contact_ms_max, reason);
    bool ready = reason[0] == '\0';
    json_object_set_new(object, "ready", json_boolean(ready));
    if (!ready) json_object_set_new(object, "reason", json_string(reason));
    *text = dump(object);
    return ready;
}

/* A primary that nobody answers goes on calling itself one. */
static bool serves(const struct node_status *s, uint64_t contact_ms_max)
{
    char reason[REASON_SIZE];

    find_reason(s, contact_ms_max, reason);
    return reason[0] == '\0' && strcmp(s->role, "primary") == 0;
}

/* --- metrics ---------------------------------------------------------------------------------- */

static const char *const metric_types[] = {
    [NODE_METRIC_gauge] = "gauge",
    [NODE_METRIC_counter] = "counter",
};

static void put_value(FILE *out, const void *from, const struct node_field *f)
{
    if (f->type == NODE_FIELD_PEER)
        fprintf(out, " %" PRId64 "\n", field_peer(from, f));
    else
        fprintf(out, " %" PRIu64 "\n", field_u64(from, f));
}

/* Of the name of a metric. */
static const char *suffix_of(enum node_metric metric)
{
    return metric == NODE_METRIC_counter ? "_total" : "";
}

static void put_head(FILE *out, const char *prefix, const char *name, enum node_metric metric,
                     const char *text)
{
    const char *suffix = suffix_of(metric);

    fprintf(out, "# HELP %s%s%s %s\n", prefix, name, suffix, text);
    fprintf(out, "# TYPE %s%s%s %s\n", prefix, name, suffix, metric_types[metric]);
}

static void put_node(FILE *out, const struct node_status *s)
{
    for (size_t i = 0; i < node_n_status_fields; i++) {
        const struct node_field *f = &node_status_fields[i];

        if (f->metric == NODE_METRIC_none) continue;
        put_head(out, "vstamp_", f->name, f->metric, f->text);
        fprintf(out, "vstamp_%s%s", f->name, suffix_of(f->metric));
        put_value(out, s, f);
    }
    for (size_t i = 0; i < node_n_peer_status_fields && s->n_peers > 0; i++) {
        const struct node_field *f = &node_peer_status_fields[i];

        if (f->metric == NODE_METRIC_none) continue;
        put_head(out, "vstamp_peer_", f->name, f->metric, f->text);
        for (size_t p = 0; p < s->n_peers; p++) {
            fprintf(out, "vstamp_peer_%s%s{peer=\"%" PRIu64 "\"}", f->name, suffix_of(f->metric),
                    s->peers[p].replica);
            put_value(out, &s->peers[p], f);
        }
    }
}

static void put_number(FILE *out, const char *name, enum node_metric metric, uint64_t value,
                       const char *text)
{
    put_head(out, "", name, metric, text);
    fprintf(out, "%s%s %" PRIu64 "\n", name, suffix_of(metric), value);
}

static void put_state(FILE *out, const char *word, const char *status)
{
    fprintf(out, "vstamp_replica_status{status=\"%s\"} %d\n", word, strcmp(word, status) == 0);
}

static void put_states(FILE *out, const struct node_status *s)
{
    put_head(out, "vstamp_", "build_info", NODE_METRIC_gauge, "always 1");
    fprintf(out, "vstamp_build_info{version=\"%s\"} 1\n", s->version);
    put_head(out, "vstamp_", "replica_info", NODE_METRIC_gauge, "always 1");
    fprintf(out,
            "vstamp_replica_info{replica=\"%" PRId64 "\",address=\"%s\",durability=\"%s\"} 1\n",
            s->replica, s->address, s->durability);
    put_head(out, "vstamp_", "replica_status", NODE_METRIC_gauge,
             "1 for the status it is in, else 0");
    for (unsigned i = VR_NORMAL; i <= VR_TRANSITIONING; i++)
        put_state(out, vr_status_word((enum vr_status)i), s->status);
    put_state(out, "shut-down", s->status);
    put_number(out, "vstamp_disk_trouble", NODE_METRIC_gauge, s->disk_trouble[0] != '\0',
               "1 if something is wrong with its disk, which /status names, else 0");
}

static uint64_t count_open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t n = 0;

    if (dir == NULL) return 0;
    while (readdir(dir) != NULL) n++;
    closedir(dir);
    return n - 3; /* ".", "..", and the one that looks */
}

static uint64_t resident_bytes(void)
{
    FILE *file = fopen("/proc/self/statm", "re");
    unsigned long size, resident = 0;

    if (file == NULL) return 0;
    if (fscanf(file, "%lu %lu", &size, &resident) != 2) resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void put_process(FILE *out, const struct report_process *process)
{
    struct rusage usage = {0};
    struct rlimit files = {0};

    getrusage(RUSAGE_SELF, &usage);
    getrlimit(RLIMIT_NOFILE, &files);
    put_head(out, "process_", "cpu_seconds", NODE_METRIC_counter,
             "processor time, user and system");
    fprintf(out, "process_cpu_seconds_total %.6f\n",
            (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    put_number(out, "process_start_time_seconds", NODE_METRIC_gauge, process->started_s,
               "when it started, seconds since 1970");
    put_number(out, "process_resident_memory_bytes", NODE_METRIC_gauge, resident_bytes(),
               "memory in use");
    put_number(out, "process_open_fds", NODE_METRIC_gauge, count_open_files(), "open descriptors");
    put_number(out, "process_max_fds", NODE_METRIC_gauge, files.rlim_cur,
               "descriptors it may open");
}

char *report_metrics(const struct node_status *status, uint64_t contact_ms_max,
                     const struct report_process *process)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (out == NULL) return NULL;
    put_states(out, status);
    put_number(out, "vstamp_serves", NODE_METRIC_gauge, serves(status, contact_ms_max),
               "1 if it is the primary, and /readyz says that it is ready, else 0");
    put_node(out, status);
    put_number(out, "vstamp_client_connections", NODE_METRIC_gauge, process->connections,
               "connections of clients");
    put_number(out, "vstamp_client_connections_evicted", NODE_METRIC_counter, process->evicted,
               "idle connections closed to make room");
    put_number(out, "vstamp_client_connections_refused", NODE_METRIC_counter, process->refused,
               "connections of clients that were one too many, while none was idle");
    put_number(out, "vstamp_longest_turn_us", NODE_METRIC_gauge, process->longest_turn_us,
               "microseconds: the longest time in which it did not look for what had come");
    put_number(out, "vstamp_longest_turn_cpu_us", NODE_METRIC_gauge, process->longest_turn_cpu_us,
               "microseconds: the most that it worked at a time, without what it waited");
    put_number(out, "vstamp_fullest_turn_bytes", NODE_METRIC_gauge, process->fullest_turn_bytes,
               "bytes: the most that it read at a time");
    if (status->n_peers > 0)
        put_head(out, "vstamp_peer_", "frames_dropped", NODE_METRIC_counter,
                 "frames not queued: it was not connected, or did not read");
    for (size_t i = 0; i < status->n_peers; i++)
        fprintf(out, "vstamp_peer_frames_dropped_total{peer=\"%" PRIu64 "\"} %" PRIu64 "\n",
                status->peers[i].replica, process->peer_dropped[status->peers[i].replica]);
    put_process(out, process);
    if (fclose(out) == 0) return text;
    free(text);
    return NULL;
}
