/* SPDX-License-Identifier: BSD-2-Clause */
/* From a seed to the options of a run.  Everything is drawn, small groups and harsh faults more
 * often than a fair coin would; what the user has set takes the place of what was drawn, after all
 * is drawn, so that the rest stays as it was. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "sim/sim.h"

static const struct {
    const char *name, *sentence;
    size_t place;
} table[] = {
#define SIM_OPTION(name, sentence) {#name, sentence, offsetof(struct sim_options, name)},
#define SIM_FAULT(name, sentence)                                                                  \
    {#name "_us", "mean time until " sentence, offsetof(struct sim_options, name##_us)},
#include "sim/options.def"
#undef SIM_OPTION
#undef SIM_FAULT
};
#define N_OPTIONS (sizeof table / sizeof table[0])

static uint64_t *value_of(struct sim_options *o, size_t option)
{
    return (uint64_t *)(void *)((char *)o + table[option].place);
}

int sim_option_find(const char *name, size_t size)
{
    int found = -1, time = -1;
    size_t n = 0;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        if (strncmp(table[i].name, name, size) != 0) continue;
        const char *rest = table[i].name + size;
        if (*rest == '\0') return (int)i;
        if (strcmp(rest, "_us") == 0) time = (int)i;
        found = (int)i;
        n++;
    }
    return time >= 0 ? time : n == 1 ? found : -1;
}

const char *sim_option_name(size_t option)
{
    return option < N_OPTIONS ? table[option].name : NULL;
}

void sim_options_help(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        used += (size_t)snprintf(text + used, size - used, "  %-20s %s\n", table[i].name,
                                 table[i].sentence);
        assert(used < size);
    }
}

void sim_options_describe(const struct sim_options *options, char *text, size_t size)
{
    struct sim_options copy = *options;
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < N_OPTIONS && used < size; i++) {
        uint64_t value = *value_of(&copy, i);
        if (value == 0) continue;
        used += (size_t)snprintf(text + used, size - used, "%s%s=%" PRIu64, used > 0 ? " " : "",
                                 table[i].name, value);
    }
}

uint64_t sim_fault_mean(const struct sim_options *o, enum sim_fault fault)
{
    switch (fault) {
#define SIM_OPTION(name, sentence)
#define SIM_FAULT(name, sentence)                                                                  \
    case SIM_FAULT_##name: return o->name##_us;
#include "sim/options.def"
#undef SIM_OPTION
#undef SIM_FAULT
    case SIM_FAULTS: break;
    }
    return 0;
}

/* Nothing, often; else anything up to `max`, small values as likely as large ones. */
static uint64_t draw_rate(struct prng *prng, uint32_t max)
{
    if (prng_chance(prng, 1, 3)) return 0;
    return prng_below(prng, (max >> prng_below(prng, 6)) + 1);
}

/* Never, now and then; else a multiple of `unit_us`, small ones as likely as large ones. */
static uint64_t draw_mean(struct prng *prng, uint64_t unit_us, uint32_t low, uint32_t high)
{
    if (prng_chance(prng, 1, 3)) return 0;
    return unit_us * prng_between(prng, low, low + ((high - low) >> prng_below(prng, 4)));
}

static uint8_t draw_size(struct prng *prng)
{
    static const uint8_t sizes[] = {1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3, 4, 5, 5, 5, 5, 5, 6, 7};
    return sizes[prng_below(prng, sizeof sizes)];
}

static void draw_group(struct prng *prng, struct sim_options *o)
{
    o->replicas = draw_size(prng);
    o->disk = prng_chance(prng, 1, 2);
    o->heartbeat_ms = prng_between(prng, 10, 50);
    o->view_change_ms = o->heartbeat_ms * prng_between(prng, 2, 8);
    o->max_clients = o->clients + prng_between(prng, 2, 8);
    if (prng_chance(prng, 1, 6)) o->max_clients = 1 + prng_below(prng, o->clients);
    o->batch_bytes = 4096u << prng_below(prng, 3);
    o->max_answer_bytes = 256u << prng_below(prng, 3);
    o->pipeline = prng_between(prng, 1, 8);
    o->log_entries = 32u << prng_below(prng, 3);
    o->log_bytes = o->batch_bytes * prng_between(prng, 4, 12);
    o->checkpoint_ops = prng_between(prng, 8, o->log_entries / 2);
    o->state_pages = prng_chance(prng, 1, 4) ? 4200 : 200; /* a tree of three levels, or of two */
    o->transfer_mib_per_s = prng_chance(prng, 1, 2) ? prng_between(prng, 1, 8) : 100;
}

/* Of the larger groups half have witnesses.  Drawn aside, so that all else is as without. */
static void draw_witnesses(struct prng aside, struct sim_options *o)
{
    if (o->replicas < 3 || prng_chance(&aside, 1, 2)) return;
    uint64_t n = prng_between(&aside, 1, (o->replicas - 1) / 2);
    while ((uint64_t)__builtin_popcountll(o->witnesses) < n)
        o->witnesses |= UINT64_C(1) << prng_below(&aside, (uint32_t)o->replicas);
    o->witness_log_bytes = o->batch_bytes * prng_between(&aside, WITNESS_BATCHES, 8);
}

/* In every other run with disks single entries rot, aside too. */
static void draw_entry_rot(struct prng aside, struct sim_options *o)
{
    prng_next(&aside);
    prng_next(&aside);
    if (prng_chance(&aside, 1, 2)) o->entry_rot_permille = draw_rate(&aside, 1000);
}

/* In one run in three somebody copies the state, aside too. */
static void draw_copies(struct prng aside, struct sim_options *o)
{
    prng_next(&aside);
    if (!prng_chance(&aside, 1, 3)) return;
    o->copy_us = prng_between(&aside, 1, 20u << prng_below(&aside, 4)) * SIM_MS;
}

/* In one run in three somebody changes the membership; all that goes with it is left out that the
 * checks do not follow from epoch to epoch. */
static void draw_changes(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 3; i++) prng_next(&aside);
    o->nodes = o->replicas;
    if (!prng_chance(&aside, 1, 3)) return;
    o->nodes = o->replicas + prng_between(&aside, 1, SIM_NODES_MAX - o->replicas);
    o->change_us = o->view_change_ms * SIM_MS;
    o->change_us *= prng_between(&aside, 2, 8u << prng_below(&aside, 4));
    if (prng_chance(&aside, 1, 2)) o->role_permille = draw_rate(&aside, 600);
    if (prng_chance(&aside, 1, 2)) o->absent_permille = draw_rate(&aside, 1000);
}

/* And in one in three somebody moves the primary about. */
static void draw_hand_overs(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 8; i++) prng_next(&aside);
    if (!prng_chance(&aside, 1, 3)) return;
    o->hand_over_us = o->view_change_ms * SIM_MS * prng_between(&aside, 1, 20);
}

/* Half of the runs have a trail with more than the points of checkpoints, and half of them files of
 * it that become large; aside. */
static void draw_trail(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 16; i++) prng_next(&aside);
    if (prng_chance(&aside, 1, 2)) o->digest_ops = prng_between(&aside, 1, o->checkpoint_ops);
    o->trail_bytes = prng_chance(&aside, 1, 2) ? 1024u << prng_below(&aside, 6) : 16u << 20;
}

/* In one in six memory is not what it was; aside. */
static void draw_flips(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 12; i++) prng_next(&aside);
    if (!prng_chance(&aside, 1, 6)) return;
    o->flip_us = o->view_change_ms * SIM_MS * prng_between(&aside, 2, 40);
    o->slip_permille = prng_chance(&aside, 1, 2) ? 1000 : 0;
}

/* What disks do at a crash, and how large the journal's files are, aside too. */
static void draw_disks(struct prng aside, struct sim_options *o)
{
    prng_next(&aside);
    prng_next(&aside);
    o->late_write_permille = draw_rate(&aside, 600);
    o->lost_write_permille = draw_rate(&aside, 600);
    if (prng_chance(&aside, 1, 4)) o->segment_bytes = 1u << prng_between(&aside, 18, 21);
}

/* In one run in four the store has memory of its own, aside. */
static void draw_memory(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 13; i++) prng_next(&aside);
    if (prng_chance(&aside, 1, 4)) o->own_memory = prng_between(&aside, 1, 2);
}

/* In one run in three replicas are upgraded, aside too. */
static void draw_upgrades(struct prng aside, struct sim_options *o)
{
    for (int i = 0; i < 5; i++) prng_next(&aside);
    if (!prng_chance(&aside, 1, 3)) return;
    o->upgrade_permille = prng_between(&aside, 300, 950);
    o->upgrade_us = o->view_change_ms * SIM_MS;
    o->upgrade_us *= prng_between(&aside, 2, 8u << prng_below(&aside, 4));
}

static void draw_clients(struct prng *prng, struct sim_options *o)
{
    o->think_us = prng_between(prng, 2, 10u << prng_below(prng, 6)) * SIM_MS;
    o->patience_us = prng_between(prng, SIM_S / 3, 3 * SIM_S);
    o->keys = prng_between(prng, 1, 3);
    o->key_ops = prng_between(prng, 30, 150);
    o->value_bytes = 16u << prng_below(prng, 7);
    o->resume_permille = prng_below(prng, 1001);
    o->local_read_permille = draw_rate(prng, 600);
}

/* Faults come at the pace of view changes, since it is in the middle of one that they matter. */
static void draw_faults(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->view_change_ms * SIM_MS;
    o->ticks = prng_between(prng, 3000, 10000);
    o->loss_ppm = draw_rate(prng, 200000);
    o->duplicate_ppm = draw_rate(prng, 300000);
    o->reorder_ppm = draw_rate(prng, 500000);
    o->late_ppm = draw_rate(prng, 100000);
    o->late_us = unit_us * prng_between(prng, 1, 30);
    o->wrong_pages_ppm = draw_rate(prng, 200000);
    o->delay_us = prng_between(prng, 50, 500);
    o->delay_spread_us = 200u << prng_below(prng, 6);
    o->disk_us = prng_between(prng, 20, 200);
    o->disk_spread_us = 100u << prng_below(prng, 8);
    o->hang_ppm = draw_rate(prng, 5000);
    o->write_error_ppm = draw_rate(prng, 2000);
    o->down_us = prng_between(prng, unit_us / 8, unit_us << prng_below(prng, 3));
    o->cut_us = prng_between(prng, unit_us / 4, unit_us << prng_below(prng, 3));
    o->wipe_permille = draw_rate(prng, 600);
    o->rot_permille = draw_rate(prng, 600);
    o->old_permille = draw_rate(prng, 400);
    o->beyond = prng_chance(prng, 1, 12);
    o->graceful_permille = draw_rate(prng, 500);
    o->sides_permille = prng_below(prng, 1000);
    o->one_way_permille = prng_below(prng, 1000);
    o->primary_permille = prng_below(prng, 1000);
    o->crash_primary_permille = draw_rate(prng, 500);
    o->cut_primary_permille = draw_rate(prng, 500);
    o->cut_paused_permille = prng_below(prng, 1000);
    o->forming_permille = prng_chance(prng, 1, 4) ? 800 : 0;
    o->leases = prng_chance(prng, 1, 2);
    o->drift_ppm = draw_rate(prng, 200000);
    o->drift_bound_ppm = o->drift_ppm;
    o->leap_us = draw_mean(prng, unit_us, 1, 30);
    o->crash_us = draw_mean(prng, unit_us, 1, 30);
    o->crash_all_us = draw_mean(prng, unit_us, 10, 60);
    o->full_disk_us = draw_mean(prng, unit_us, 10, 60);
    o->partition_us = draw_mean(prng, unit_us, 1, 20);
    o->pause_us = draw_mean(prng, unit_us, 2, 30);
    o->reset_us = draw_mean(prng, unit_us, 1, 30);
    o->client_reset_us = draw_mean(prng, unit_us, 1, 30);
    o->client_cut_us = draw_mean(prng, unit_us, 2, 30);
    o->client_crash_us = draw_mean(prng, unit_us, 1, 30);
    o->replay_us = draw_mean(prng, unit_us / 8, 1, 100);
    o->garbage_us = draw_mean(prng, unit_us, 1, 30);
    o->clock_us = draw_mean(prng, unit_us, 5, 30);
    if (prng_chance(prng, 1, 2)) o->plot_us = draw_mean(prng, unit_us, 4, 40);
}

/* A storm: replicas that forget and come back at once, votes and promises that arrive lives later.
 * This is where recovery without a disk goes wrong (PIT-3.1). */
static void draw_storm(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->view_change_ms * SIM_MS;
    o->disk = prng_chance(prng, 1, 4);
    o->loss_ppm = draw_rate(prng, 100000);
    o->late_ppm = draw_rate(prng, 500000);
    o->late_us = unit_us * prng_between(prng, 1, 10);
    o->delay_spread_us = unit_us >> prng_between(prng, 3, 6);
    o->down_us = unit_us / 8;
    o->cut_us = prng_between(prng, unit_us / 2, 2 * unit_us);
    o->wipe_permille = 500;
    o->graceful_permille = 0;
    o->crash_us = prng_between(prng, unit_us / 4, 2 * unit_us);
    o->crash_all_us = 0;
    o->plot_us = unit_us * prng_between(prng, 4, 20);
    o->replay_us = unit_us / prng_between(prng, 2, 32);
    o->partition_us = prng_between(prng, unit_us / 2, 4 * unit_us);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

/* A group torn in two again and again, with busy clients on either side: here stale reads and logs
 * chosen wrongly come to light. */
static void draw_split(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->view_change_ms * SIM_MS;
    o->replicas = prng_chance(prng, 1, 2) ? 3 : 5;
    o->clients = prng_between(prng, 3, 8);
    o->max_clients = o->clients + prng_between(prng, 2, 8);
    o->think_us = prng_between(prng, 1, 5) * SIM_MS;
    o->patience_us = unit_us * prng_between(prng, 1, 4);
    o->keys = 1;
    o->loss_ppm /= 8;
    o->partition_us = unit_us * prng_between(prng, 2, 8);
    o->cut_us = unit_us * prng_between(prng, 2, 6);
    o->sides_permille = 900;
    o->one_way_permille = prng_below(prng, 300);
    o->primary_permille = prng_between(prng, 500, 1000);
    o->pause_us = unit_us * prng_between(prng, 3, 12);
    o->crash_us *= 4;
    o->crash_primary_permille = prng_below(prng, 400);
    o->cut_primary_permille = prng_below(prng, 400);
}

#define VALUE_BYTES_MAX 1800u /* two of them share the smallest batch */

/* More than the disks, the buffers and the messages hold at once: many busy clients, much state,
 * small batches, writes that hang.  Half of these groups checkpoint so often that a replica which
 * was away fetches pages; the other half has a log that outgrows the journal's buffer. */
static void draw_press(struct prng *prng, struct sim_options *o)
{
    uint64_t unit_us = o->view_change_ms * SIM_MS;
    bool pages = prng_chance(prng, 1, 2);
    o->replicas = prng_chance(prng, 3, 4) ? 3 : 5;
    o->disk = prng_chance(prng, 7, 8);
    o->clients = prng_between(prng, 8, SIM_CLIENTS_MAX);
    o->max_clients = o->clients + prng_between(prng, 2, 8);
    o->think_us = prng_between(prng, 1, 3) * SIM_MS;
    o->keys = prng_between(prng, 40, 120);
    o->key_ops = SIM_KEY_OPS_MAX;
    o->value_bytes = VALUE_BYTES_MAX;
    o->batch_bytes = 4096;
    o->pipeline = prng_between(prng, 1, 4);
    o->log_entries = pages ? 32 : 1024;
    o->log_bytes = o->log_entries * o->batch_bytes / 2;
    o->checkpoint_ops = prng_between(prng, 8, pages ? 16 : 64);
    o->loss_ppm = pages ? prng_below(prng, 100000) : 0;
    o->delay_spread_us = 200u << prng_below(prng, 4);
    o->disk_spread_us = pages ? 100u << prng_below(prng, 10) : 100;
    o->hang_ppm = prng_between(prng, 2000, 20000);
    o->cut_us = unit_us * prng_between(prng, 1, 8);
    o->partition_us = pages ? unit_us * prng_between(prng, 2, 8) : 0;
    o->crash_us = unit_us * prng_between(prng, 4, 30);
    o->wipe_permille = prng_below(prng, 600);
}

/* The value that was set last; `otherwise` if none was. */
static uint64_t value_set(const struct sim_setting *settings, size_t n, const char *name,
                          uint64_t otherwise)
{
    for (; n > 0; n--)
        if (strcmp(table[settings[n - 1].option].name, name) == 0) return settings[n - 1].value;
    return otherwise;
}

/* Those without which there is nothing to draw from, or no replica. */
#define SOME(name) {#name, 1, UINT64_MAX, #name ": at least 1"}
static const struct {
    const char *name;
    uint64_t least, most;
    const char *sentence;
} bounds[] = {
    {"replicas", 1, SIM_REPLICAS_MAX, "replicas: 1 to 7"},
    {"clients", 1, SIM_CLIENTS_MAX, "clients: 1 to 16"},
    {"pipeline", 1, PIPELINE_MAX, "pipeline: 1 to 32"},
    {"batch_bytes", 4096, 8388608, "batch_bytes: 4096 to 8388608"},
    {"max_answer_bytes", 256, 3584, "max_answer_bytes: 256 to 3584"},
    {"value_bytes", 1, VALUE_BYTES_MAX, "value_bytes: 1 to 1800"},
    {"key_ops", 1, SIM_KEY_OPS_MAX, "key_ops: 1 to 500"},
    SOME(max_clients), SOME(heartbeat_ms), SOME(view_change_ms), SOME(keys), SOME(think_us),
    SOME(patience_us), SOME(delay_spread_us), SOME(late_us), SOME(cut_us), SOME(down_us),
};

const char *sim_settings_refuse(const struct sim_setting *settings, size_t n)
{
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        uint64_t value = value_set(settings, n, bounds[i].name, bounds[i].least);
        if (value < bounds[i].least || value > bounds[i].most) return bounds[i].sentence;
    }
    uint64_t replicas = value_set(settings, n, "replicas", SIM_REPLICAS_MAX);
    uint64_t witnesses = value_set(settings, n, "witnesses", 0);
    uint64_t entries = value_set(settings, n, "log_entries", 32);
    if (entries < 16 || entries > 65536 || (entries & (entries - 1)) != 0)
        return "log_entries: a power of two, 16 to 65536";
    if (witnesses >> replicas != 0) return "witnesses: a bitset, of replicas of the group";
    if ((uint64_t)__builtin_popcountll(witnesses) > (replicas - 1) / 2)
        return "witnesses: a bitset, and a majority of the replicas must not be in it";
    return NULL;
}

/* What the simulator has room for; and what cannot be without a disk, or with one. */
static void settle(struct sim_options *o)
{
    bool clocks_keep_their_word = o->drift_ppm <= o->drift_bound_ppm;
    if (o->leases && clocks_keep_their_word) o->leap_us = 0;
    o->replicas = clamp(o->replicas, 1, SIM_REPLICAS_MAX);
    if (o->change_us == 0) o->nodes = o->replicas;
    o->nodes = clamp(o->nodes, o->replicas, SIM_NODES_MAX);
    if (o->nodes == o->replicas) o->change_us = 0;
    if (o->change_us != 0) o->plot_us = 0;
    o->clients = clamp(o->clients, 1, SIM_CLIENTS_MAX);
    o->checkpoint_ops = clamp(o->checkpoint_ops, 1, o->log_entries / 2);
    o->witnesses &= (UINT64_C(1) << o->replicas) - 1;
    while ((uint64_t)__builtin_popcountll(o->witnesses) > (o->replicas - 1) / 2)
        o->witnesses &= o->witnesses - 1;
    if (!o->disk) o->illness_us = 0; /* who ends must not lose its memory */
    if (o->flip_us != 0) o->plot_us = 0;   /* which counts on what others remember */
    /* What is executed may not be what stays, or be wrong. */
    if (o->beyond || o->flip_us != 0) o->modelled_permille = 0;
    uint64_t batches = WITNESS_BATCHES * o->batch_bytes;
    if (o->log_bytes < 4 * o->batch_bytes) o->log_bytes = 4 * o->batch_bytes;
    if (o->witness_log_bytes < batches) o->witness_log_bytes = batches;
    if (o->disk) {
        o->plot_us = 0;
    } else {
        o->crash_all_us = o->full_disk_us = 0;
        o->hang_ppm = o->write_error_ppm = o->wipe_permille = o->rot_permille = o->beyond = 0;
        o->old_permille = o->entry_rot_permille = 0;
        o->late_write_permille = o->lost_write_permille = 0;
    }
}

/* With numbers of its own, so that the rest of a run is as without. */
static void draw_modelled(struct prng prng, struct sim_options *o)
{
    struct prng own;
    prng_seed(&own, prng_next(&prng) ^ 0x3e71);
    if (prng_chance(&own, 1, 4)) o->modelled_permille = prng_between(&own, 50, 600);
}

static void draw_unsound(struct prng prng, struct sim_options *o)
{
    struct prng own;
    prng_seed(&own, prng_next(&prng) ^ 0x0dd);
    if (prng_chance(&own, 1, 4)) o->unsound_permille = prng_between(&own, 20, 300);
}

static void draw_illness(struct prng prng, struct sim_options *o)
{
    struct prng own;
    prng_seed(&own, prng_next(&prng) ^ 0x111);
    if (prng_chance(&own, 1, 5)) o->poison_ppm = prng_between(&own, 500, 20000);
    if (prng_chance(&own, 1, 5))
        o->illness_us = o->view_change_ms * SIM_MS * prng_between(&own, 4, 40);
}

/* Mostly what real ones have, which is beyond all values here. */
static void draw_heavy(struct prng prng, struct sim_options *o)
{
    struct prng own;
    prng_seed(&own, prng_next(&prng) ^ 0xc9);
    o->heavy_bytes = prng_chance(&own, 1, 3) ? prng_below(&own, 200) : SESSION_HEAVY_BYTES;
}

static void draw_few(struct prng prng, struct sim_options *o)
{
    struct prng own;
    prng_seed(&own, prng_next(&prng) ^ 0xfe3);
    if (prng_chance(&own, 1, 3)) o->few_permille = prng_between(&own, 100, 1000);
}

void sim_options_draw(struct prng *prng, const struct sim_setting *settings, size_t n_settings,
                      struct sim_options *o)
{
    memset(o, 0, sizeof *o);
    o->clients = prng_between(prng, 1, 8);
    draw_group(prng, o);
    draw_clients(prng, o);
    draw_faults(prng, o);
    uint64_t kind = prng_below(prng, 8);
    if (kind % 4 == 0) draw_storm(prng, o);
    if (kind % 4 == 1) draw_split(prng, o);
    if (kind == 6) draw_press(prng, o);
    draw_witnesses(*prng, o);
    draw_copies(*prng, o);
    draw_hand_overs(*prng, o);
    draw_changes(*prng, o);
    draw_entry_rot(*prng, o);
    draw_disks(*prng, o);
    draw_memory(*prng, o);
    draw_modelled(*prng, o);
    draw_unsound(*prng, o);
    draw_heavy(*prng, o);
    draw_few(*prng, o);
    draw_illness(*prng, o);
    draw_flips(*prng, o);
    draw_trail(*prng, o);
    draw_upgrades(*prng, o);
    for (size_t i = 0; i < n_settings; i++) *value_of(o, settings[i].option) = settings[i].value;
    settle(o);
}

static const char *const addresses[SIM_NODES_MAX] = {"sim:a", "sim:b", "sim:c", "sim:d", "sim:e",
                                                     "sim:f", "sim:g", "sim:h", "sim:i", "sim:j",
                                                     "sim:k", "sim:l", "sim:m", "sim:n"};

const char *sim_address_of(uint8_t node)
{
    return addresses[node];
}

uint8_t sim_node_of(const char *address)
{
    return (uint8_t)(address[4] - 'a');
}

void sim_options_config(const struct sim_options *o, struct vr_config *c)
{
    *c = (struct vr_config){.n_replicas = (uint8_t)o->replicas,
                            .durable = o->disk != 0,
                            .witnesses = (uint32_t)o->witnesses,
                            .heartbeat_ms = (uint32_t)o->heartbeat_ms,
                            .view_change_ms = (uint32_t)o->view_change_ms,
                            .max_clients = (uint32_t)o->max_clients,
                            .batch_bytes = (uint32_t)o->batch_bytes,
                            .max_answer_bytes = (uint32_t)o->max_answer_bytes,
                            .max_read_bytes = 8192,
                            .leases = o->leases != 0,
                            .clock_drift_ppm = (uint32_t)o->drift_bound_ppm,
                            .pipeline = (uint32_t)o->pipeline,
                            .log_entries = (uint32_t)o->log_entries,
                            .log_bytes = o->log_bytes,
                            .witness_log_bytes = o->witness_log_bytes,
                            .checkpoint_ops = (uint32_t)o->checkpoint_ops,
                            .digest_ops = (uint32_t)o->digest_ops,
                            .transfer_mib_per_s = (uint32_t)o->transfer_mib_per_s,
                            .segment_bytes = (uint32_t)o->segment_bytes,
                            .state_pages = (uint32_t)(o->max_clients * 2 + o->state_pages),
                            .version = "sim"};
    for (uint32_t i = 0; i < c->n_replicas; i++) c->addresses[i] = addresses[i];
}
