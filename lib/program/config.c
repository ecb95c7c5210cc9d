/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a configuration comes from, and what of it the protocol core is told.  Its text is read in
 * config_yaml.c. */
#include "program/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "program/config_keys.h"

#define WITNESS_LOG_BYTES (3u << 20)

int config_find(char path[static CONFIG_PATH_SIZE], const char *option, struct vstamp_diag *diag)
{
    const char *named = option != NULL ? option : getenv(CONFIG_ENVIRONMENT);
    if (option == NULL && named != NULL && *named == '\0') named = NULL;
    const char *chosen = named != NULL ? named : CONFIG_FILE_NAME;
    if (strlen(chosen) >= CONFIG_PATH_SIZE) {
        vstamp_diag_printf(diag, "the path of the configuration is too long");
        return VSTAMP_E_CONFIG;
    }
    memcpy(path, chosen, strlen(chosen) + 1);
    if (access(path, F_OK) == 0) return 0;
    if (named == NULL) {
        vstamp_diag_printf(diag, "no configuration: there is no " CONFIG_FILE_NAME
                                 " in the current folder: write one, or name it by --config FILE "
                                 "or $" CONFIG_ENVIRONMENT);
    } else {
        vstamp_diag_printf(diag, "%s: %s: check %s", path, strerror(errno),
                           option != NULL ? "the name" : "$" CONFIG_ENVIRONMENT);
    }
    return VSTAMP_E_CONFIG;
}

/* The whole file, to be freed; NULL with a sentence. */
static char *read_file(const char *path, size_t *size, struct vstamp_diag *diag)
{
    char *text = malloc(CONFIG_FILE_BYTES_MAX + 1);
    FILE *file = text == NULL ? NULL : fopen(path, "re");
    if (file == NULL) {
        vstamp_diag_printf(diag, "%s: %s%s", path, strerror(errno),
                           errno == EACCES ? ": whoever runs this must be able to read it" : "");
        free(text);
        return NULL;
    }
    *size = fread(text, 1, CONFIG_FILE_BYTES_MAX + 1, file);
    if (ferror(file)) {
        vstamp_diag_printf(diag, "%s: %s", path, strerror(errno));
    } else if (*size > CONFIG_FILE_BYTES_MAX) {
        vstamp_diag_printf(diag, "%s: larger than a configuration can be (%u bytes)", path,
                           CONFIG_FILE_BYTES_MAX);
    } else {
        fclose(file);
        return text;
    }
    fclose(file);
    free(text);
    return NULL;
}

int config_load(struct config *config, const char *option, struct vstamp_diag *diag)
{
    char path[CONFIG_PATH_SIZE];
    size_t size = 0;

    int rv = config_find(path, option, diag);
    if (rv != 0) return rv;
    char *text = read_file(path, &size, diag);
    if (text == NULL) return VSTAMP_E_CONFIG;
    rv = config_parse(config, path, text, size, diag);
    free(text);
    return rv;
}

int config_from_replicas(struct config *config, const char *list, struct vstamp_diag *diag)
{
    static const bool none[CONFIG_N_KEYS];

    config_set_defaults(config);
    snprintf(config->path, sizeof config->path, "--replicas");
    config_derive(config, none);
    int rv = address_parse_list(config->replicas_addresses.at, &config->replicas_addresses.n, list,
                                diag);
    if (rv != 0) vstamp_diag_wrap(diag, "--replicas");
    return rv;
}

uint32_t config_witness_set(const struct config *config)
{
    uint32_t set = 0;
    for (size_t i = 0; i < config->witnesses.n; i++) set |= UINT32_C(1) << config->witnesses.at[i];
    return set;
}

const char *config_app_argument(const struct config *config)
{
    return config->app_argument[0] != '\0' ? config->app_argument : NULL;
}

int config_to_vr(const struct config *config, uint32_t index, const char *version,
                 struct vr_config *vr, struct vstamp_diag *diag)
{
    size_t n = config->replicas_addresses.n;
    if (index >= n) {
        vstamp_diag_printf(diag, "%s: no replica %" PRIu32 " in a group of %zu: the last is %zu",
                           config->path, index, n, n - 1);
        return VSTAMP_E_CONFIG;
    }
    memset(vr, 0, sizeof *vr);
    vr->n_replicas = (uint8_t)n;
    vr->self = (uint8_t)index;
    vr->witnesses = config_witness_set(config);
    vr->durable = config->durability == CONFIG_durability_disk;
    vr->heartbeat_ms = config->heartbeat_ms;
    vr->view_change_ms = config->view_change_ms;
    vr->max_clients = config->max_clients;
    vr->batch_bytes = (uint32_t)config->batch_bytes;
    vr->max_answer_bytes = CONFIG_MAX_ANSWER_BYTES;
    vr->max_read_bytes = (uint32_t)config->max_value_bytes + READ_OVERHEAD;
    vr->leases = config->reads == CONFIG_reads_lease;
    vr->clock_drift_ppm = config->clock_drift_ppm;
    vr->pipeline = config->pipeline;
    vr->log_entries = 4 * PIPELINE_MAX; /* that of another replica may be longer than ours */
    while (vr->log_entries < 2 * config->checkpoint_ops) vr->log_entries *= 2;
    vr->log_bytes = config->log_bytes;
    vr->witness_log_bytes = WITNESS_BATCHES * config->batch_bytes;
    if (vr->witness_log_bytes < WITNESS_LOG_BYTES) vr->witness_log_bytes = WITNESS_LOG_BYTES;
    vr->checkpoint_ops = config->checkpoint_ops;
    vr->digest_ops = config->digest_ops;
    vr->transfer_mib_per_s = config->transfer_mib_per_s;
    vr->state_pages = (uint32_t)(config->state_bytes_max / CONFIG_PAGE_BYTES);
    vr->segment_bytes = CONFIG_SEGMENT_BYTES;
    vr->version = version;
    for (size_t i = 0; i < n; i++) {
        vr->addresses[i] = config->replicas_addresses.at[i].text;
        vr->status_addresses[i] = config->status_addresses.at[i].text;
    }
    return 0;
}
