/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration file: what a group gets from it, and the exact complaint for what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "program/config.h"
#include "vr/settings.h"

#define THREE "replicas_addresses:\n  - 127.0.0.1:14621\n  - 127.0.0.1:14622\n  - 127.0.0.1:14623\n"

static int parse(struct config *config, const char *text, struct vstamp_diag *diag)
{
    return config_parse(config, "f.yaml", text, strlen(text), diag);
}

static void the_five_line_file_is_enough(void **state)
{
    static const char *const texts[] = {
        "---\n" THREE,
        "replicas_addresses:\n  - \"127.0.0.1:14621\"\n  - '127.0.0.1:14622'\n"
        "  - \"127.0.0.1:14623\"\n",
        "replicas_addresses: [\"127.0.0.1:14621\", \"127.0.0.1:14622\", \"127.0.0.1:14623\"]",
    };
    struct config c;
    struct vstamp_diag diag = {0};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(parse(&c, texts[i], &diag), 0);
        assert_int_equal(c.replicas_addresses.n, 3);
        assert_string_equal(c.replicas_addresses.at[2].text, "127.0.0.1:14623");
        assert_int_equal(c.status_addresses.n, 3);
        assert_string_equal(c.status_addresses.at[0].text, "127.0.0.1:15621");
    }
    assert_int_equal(c.durability, CONFIG_durability_disk);
    assert_int_equal(c.reads, CONFIG_reads_quorum);
    assert_string_equal(c.data_dir, "vstamp-data");
    assert_int_equal(c.heartbeat_ms, 25);
    assert_int_equal(c.view_change_ms, 200);
    assert_int_equal(c.max_clients, 10000);
    assert_int_equal(c.batch_bytes, 1 << 20);
    assert_int_equal(c.max_value_bytes, 512 << 10);
    assert_int_equal(c.checkpoint_ops, 8192);
    assert_int_equal(c.pipeline, 8);
    assert_int_equal(c.state_bytes_max, 1 << 30);
    assert_int_equal(c.log_bytes, 64 << 20);
    assert_int_equal(c.max_connections, 1024);
}

static void a_large_state_has_a_long_log_and_long_intervals(void **state)
{
    static const struct {
        const char *lines;
        uint64_t log_bytes;
        uint32_t checkpoint_ops;
    } cases[] = {
        {"state_bytes_max: 64MiB\n", 64 << 20, 8192},
        {"state_bytes_max: 5GiB\n", 320 << 20, 40960},
        {"state_bytes_max: 1TiB\n", UINT64_C(64) << 30, 1048576},
        {"state_bytes_max: 5GiB\nlog_bytes: 64MiB\n", 64 << 20, 40960},
        {"state_bytes_max: 5GiB\ncheckpoint_ops: 16\n", 320 << 20, 16},
    };
    struct vstamp_diag diag = {0};
    struct config c;
    char text[256];
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, THREE "%s", cases[i].lines);
        assert_int_equal(parse(&c, text, &diag), 0);
        assert_int_equal(c.log_bytes, cases[i].log_bytes);
        assert_int_equal(c.checkpoint_ops, cases[i].checkpoint_ops);
    }
}

static void every_key_can_be_set_and_is_printed_as_it_would_be_written(void **state)
{
    static const struct {
        const char *name, *value;
    } keys[] = {
        {"replicas_addresses", "[\"[::1]:1\", \"b:2\", \"c:3\"]"},
        {"status_addresses", "[\"a:11\", \"b:12\", \"c:13\"]"},
        {"witnesses", "[2]"},
        {"tls", "/etc/vstamp/tls"},
        {"durability", "memory"},
        {"data_dir", "/srv/vstamp"},
        {"app", "./lock.so"},
        {"app_argument", "a b"},
        {"app_exec", "/srv/lock.py"},
        {"app_timeout_ms", "700"},
        {"reads", "lease"},
        {"clock_drift_ppm", "500"},
        {"heartbeat_ms", "50"},
        {"view_change_ms", "500"},
        {"max_clients", "77"},
        {"batch_bytes", "256KiB"},
        {"max_value_bytes", "1000"},
        {"checkpoint_ops", "128"},
        {"digest_ops", "3"},
        {"transfer_mib_per_s", "7"},
        {"pipeline", "3"},
        {"state_bytes_max", "1TiB"},
        {"log_bytes", "1MiB"},
        {"max_connections", "16"},
    };
    char text[2048] = "";
    char value[256];
    struct config c;
    struct vstamp_diag diag = {0};
    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        size_t size = strlen(text);
        snprintf(text + size, sizeof text - size, "%s: %s\n", keys[i].name, keys[i].value);
    }
    int rv = parse(&c, text, &diag);
    assert_string_equal(diag.text, "");
    assert_int_equal(rv, 0);
    assert_int_equal(config_n_keys, sizeof keys / sizeof keys[0]);
    for (size_t i = 0; i < config_n_keys; i++) {
        assert_string_equal(config_keys[i].name, keys[i].name);
        config_print(&c, i, value, sizeof value);
        assert_string_equal(value, keys[i].value);
    }
}

static const struct {
    const char *text, *sentence;
} mistakes[] = {
    {"", "f.yaml:1:1: the file is empty: expected at least replicas_addresses"},
    {"# only a comment\n", "f.yaml:1:1: the file is empty: expected at least replicas_addresses"},
    {"- a:1\n", "f.yaml:1:1: expected KEY: VALUE lines, at least replicas_addresses"},
    {"heartbeat_ms: 25\n",
     "f.yaml:1:1: replicas_addresses is missing: list HOST:PORT of each replica"},
    {THREE "hearbeat_ms: 25\n",
     "f.yaml:5:1: unknown key 'hearbeat_ms': did you mean 'heartbeat_ms'?"},
    {"replicas_adresses: [a:1]\n",
     "f.yaml:1:1: unknown key 'replicas_adresses': did you mean 'replicas_addresses'?"},
    {THREE "colour: blue\n", "f.yaml:5:1: unknown key 'colour': see vstamp-config(5)"},
    {THREE "[a]: blue\n", "f.yaml:5:1: expected a key, found a list"},
    {THREE "pipeline: 2\npipeline: 3\n", "f.yaml:6:1: pipeline is there twice, first in line 5"},
    {THREE "heartbeat_ms: fast\n",
     "f.yaml:5:15: heartbeat_ms: expected a whole number from 1 to 60000, found 'fast'"},
    {THREE "heartbeat_ms: 0\n",
     "f.yaml:5:15: heartbeat_ms: expected a whole number from 1 to 60000, found '0'"},
    {THREE "heartbeat_ms: 99999999999999999999\n",
     "f.yaml:5:15: heartbeat_ms: expected a whole number from 1 to 60000, "
     "found '99999999999999999999'"},
    {THREE "heartbeat_ms: -5\n",
     "f.yaml:5:15: heartbeat_ms: expected a whole number from 1 to 60000, found '-5'"},
    {THREE "heartbeat_ms:\n",
     "f.yaml:5:14: heartbeat_ms: expected a whole number from 1 to 60000, found nothing"},
    {THREE "heartbeat_ms: [1]\n",
     "f.yaml:5:15: heartbeat_ms: expected a whole number from 1 to 60000, found a list"},
    {THREE "durability: tape\n", "f.yaml:5:13: durability: expected disk or memory, found 'tape'"},
    {THREE "durability: lease\n", /* a word of another key */
     "f.yaml:5:13: durability: expected disk or memory, found 'lease'"},
    {THREE "batch_bytes: 1MB\n",
     "f.yaml:5:14: batch_bytes: expected a size from 16KiB to 8MiB, "
     "such as 64KiB or 1MiB, found '1MB'"},
    {THREE "batch_bytes: 99999999999999999GiB\n",
     "f.yaml:5:14: batch_bytes: expected a size from 16KiB to 8MiB, "
     "such as 64KiB or 1MiB, found '99999999999999999GiB'"},
    {THREE "state_bytes_max: 2TiB\n",
     "f.yaml:5:18: state_bytes_max: expected a size from 1MiB to 1TiB, such as 64KiB or 1MiB, "
     "found '2TiB'"},
    {THREE "batch_bytes: 15KiB\n",
     "f.yaml:5:14: batch_bytes: expected a size from 16KiB to 8MiB, "
     "such as 64KiB or 1MiB, found '15KiB'"},
    {THREE "batch_bytes: 64  KiB\n",
     "f.yaml:5:14: batch_bytes: expected a size from 16KiB to 8MiB, "
     "such as 64KiB or 1MiB, found '64  KiB'"},
    {THREE "batch_bytes: KiB\n",
     "f.yaml:5:14: batch_bytes: expected a size from 16KiB to 8MiB, "
     "such as 64KiB or 1MiB, found 'KiB'"},
    {THREE "pipeline: 18446744073709551617\n", /* is 1 to who counts in 64 bits */
     "f.yaml:5:11: pipeline: expected a whole number from 1 to 32, "
     "found '18446744073709551617'"},
    {THREE "data_dir: \"\"\n",
     "f.yaml:5:11: data_dir: expected a text of 1 to 3072 characters, found nothing"},
    {THREE "data_dir: \"a\\0b\"\n",
     "f.yaml:5:11: data_dir: expected a text of 1 to 3072 characters, found 'a'"},
    {"replicas_addresses: a:1\n",
     "f.yaml:1:21: replicas_addresses: expected a list of 1 to 16 addresses, HOST:PORT each, "
     "found 'a:1'"},
    {"replicas_addresses: []\n",
     "f.yaml:1:21: replicas_addresses: expected 1 to 16 addresses, found 0"},
    {"replicas_addresses: "
     "[a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,b:1,b:2,b:3,b:4,b:5,b:6,b:7,b:8]",
     "f.yaml:1:21: replicas_addresses: expected 1 to 16 addresses, found 17"},
    {"replicas_addresses:\n  - a:1\n  - localhost\n",
     "f.yaml:3:5: replicas_addresses: expected HOST:PORT, found 'localhost'"},
    {"replicas_addresses:\n  - a:1\n  - b: 1\n",
     "f.yaml:3:5: replicas_addresses: expected HOST:PORT, found a mapping: write it without "
     "spaces"},
    {"replicas_addresses:\n  - a:1\n  - 127.0.0.1 : 29101\n",
     "f.yaml:3:5: replicas_addresses: expected HOST:PORT, found a mapping: write it without "
     "spaces"},
    {"replicas_addresses:\n  - a:1\n  - [\"::1\"]\n",
     "f.yaml:3:5: replicas_addresses: expected HOST:PORT, found a list: "
     "quote an IPv6 address, as in \"[::1]:14621\""},
    {"replicas_addresses:\n  - a:1\n  - A:1\n",
     "f.yaml:3:5: replicas_addresses: a:1 is there twice, first in line 2"},
    {"replicas_addresses:\n  - a:1\n  - [::1]:14621\n",
     "f.yaml:3:1: not valid YAML: quote an IPv6 address, as in \"[::1]:14621\""},
    {"replicas_addresses:\n  - [::1]:14621\n  - a:1\n",
     "f.yaml:2:1: not valid YAML: quote an IPv6 address, as in \"[::1]:14621\""},
    {"replicas_addresses: [[::1]:14621, a:1]\n",
     "f.yaml:1:1: not valid YAML: quote an IPv6 address, as in \"[::1]:14621\""},
    {"replicas_addresses: [a:1\n", "f.yaml:2:1: not valid YAML: did not find expected ',' or ']'"},
    {"replicas_addresses:\n\t- a:1\n",
     "f.yaml:2:1: not valid YAML: found character that cannot start any token: indent with "
     "spaces, not with a tab"},
    {THREE "data_dir: \xff\n", "f.yaml:5:11: not valid YAML: invalid leading UTF-8 octet"},
    {THREE "---\nmore: 1\n", "f.yaml:6:1: expected one document, found another"},
    {THREE "---\n[\n", "f.yaml:7:1: not valid YAML: did not find expected node content"},
    {THREE "status_addresses: [a:1]\n",
     "f.yaml:5:19: status_addresses: expected 3 addresses, one for each replica, found 1"},
    {"replicas_addresses: [a:1, a:1001]\n",
     "f.yaml:1:22: a:1001 is for the status of replica 0 and in replicas_addresses: "
     "set status_addresses"},
    {"replicas_addresses: [a:1, b:1]\nstatus_addresses: [a:2, a:1]\n",
     "f.yaml:2:25: status_addresses: a:1 is for the status of replica 1 and in "
     "replicas_addresses"},
    {"replicas_addresses: [a:65000]\n",
     "f.yaml:1:22: replicas_addresses: a:65000 has no port + 1000 for its status: "
     "set status_addresses"},
    {THREE "witnesses: [3]\n", "f.yaml:5:12: witnesses: no replica 3 in a group of 3"},
    {THREE "witnesses: [1, 1]\n", "f.yaml:5:12: witnesses: 1 is there twice"},
    {THREE "witnesses: [0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]\n",
     "f.yaml:5:12: witnesses: expected a list of replica indices, found a list"},
    {THREE "witnesses: {}\n",
     "f.yaml:5:12: witnesses: expected a list of replica indices, found a mapping"},
    {THREE "witnesses: [0, 2]\n",
     "f.yaml:5:12: witnesses: a group of 3 can have at most 1, found 2: the other 2, a majority, "
     "must be active"},
    {"replicas_addresses: [a:1, b:1]\nwitnesses: [1]\n",
     "f.yaml:2:12: witnesses: a group of 2 can have none: it takes three replicas"},
    {THREE "witnesses: [x]\n",
     "f.yaml:5:13: witnesses: expected a list of replica indices, found 'x'"},
    {THREE "heartbeat_ms: 100\n",
     "f.yaml:5:15: heartbeat_ms (100) must be below half of view_change_ms (200)"},
    {THREE "view_change_ms: 50\n",
     "f.yaml:5:17: heartbeat_ms (25) must be below half of view_change_ms (50)"},
    {THREE "max_value_bytes: 1MiB\n",
     "f.yaml:5:18: max_value_bytes (1MiB) must be at most 1020KiB, with batch_bytes (1MiB)"},
    {THREE "log_bytes: 4095KiB\n",
     "f.yaml:5:12: log_bytes (4095KiB) must be at least 4 times batch_bytes (1MiB)"},
    {THREE "state_bytes_max: 1MiB\n",
     "f.yaml:5:18: state_bytes_max (1MiB) must be at least 13592KiB, as the sessions of "
     "max_clients (10000) are part of the state; or max_clients at most 576"},
    {THREE "max_clients: 1000000\n",
     "f.yaml:5:14: state_bytes_max (1GiB) must be at least 1333592KiB, as the sessions of "
     "max_clients (1000000) are part of the state; or max_clients at most 786240"},
};

static void each_mistake_has_its_line_its_column_and_what_was_expected(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        struct config c;
        struct vstamp_diag diag = {0};
        int rv = parse(&c, mistakes[i].text, &diag);
        assert_string_equal(diag.text, mistakes[i].sentence);
        assert_int_equal(rv, VSTAMP_E_CONFIG);
    }
}

static void a_text_is_as_long_as_its_key_allows(void **state)
{
    enum { MAX = 3072 };
    static char text[sizeof THREE + MAX + 32];
    struct config c;
    struct vstamp_diag diag = {0};
    (void)state;
    int n = snprintf(text, sizeof text, "%sdata_dir: %0*d\n", THREE, MAX, 0);
    assert_int_equal(parse(&c, text, &diag), 0);
    assert_int_equal(strlen(c.data_dir), MAX);
    snprintf(text + n - 1, sizeof text - (size_t)n, "0\n");
    assert_int_equal(parse(&c, text, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "f.yaml:5:11: data_dir: expected a text of 1 to 3072 "));
}

static void a_small_batch_makes_the_largest_value_small_too(void **state)
{
    struct config c;
    struct vstamp_diag diag = {0};
    (void)state;
    assert_int_equal(parse(&c, THREE "batch_bytes: 64KiB\n", &diag), 0);
    assert_int_equal(c.max_value_bytes, 65536 - 4096);
}

static void the_core_is_told_sizes_that_fit_each_other(void **state)
{
    static const struct {
        const char *keys;
        uint32_t log_entries;
    } cases[] = {
        {"", 16384},
        {"checkpoint_ops: 10000\n", 32768},
        {"checkpoint_ops: 16\npipeline: 32\n", 128},
        {"checkpoint_ops: 16\npipeline: 1\n", 128}, /* the others' may be longer */
    };
    char text[512];
    struct config c;
    struct vr_config vr;
    struct vstamp_diag diag = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(text, sizeof text, "%s%s", THREE, cases[i].keys);
        assert_int_equal(parse(&c, text, &diag), 0);
        assert_int_equal(config_to_vr(&c, 2, "1.0", &vr, &diag), 0);
        assert_int_equal(vr.log_entries, cases[i].log_entries);
        assert_true(vr.checkpoint_ops <= vr.log_entries / 2);
    }
    assert_int_equal(vr.n_replicas, 3);
    assert_int_equal(vr.self, 2);
    assert_true(vr.durable);
    assert_int_equal(vr.state_pages, 262144);
    assert_string_equal(vr.addresses[1], "127.0.0.1:14622");
    assert_string_equal(vr.version, "1.0");
    assert_int_equal(config_to_vr(&c, 3, "1.0", &vr, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "f.yaml: no replica 3 in a group of 3: the last is 2");
}

static void what_is_configured_reaches_the_core(void **state)
{
    struct config c;
    struct vr_config vr;
    struct vstamp_diag diag = {0};
    (void)state;
    memset(&vr, 0xff, sizeof vr);
    assert_int_equal(parse(&c, THREE "witnesses: [0]\n"
                                     "durability: memory\n"
                                     "reads: lease\n"
                                     "clock_drift_ppm: 500\n"
                                     "heartbeat_ms: 50\n"
                                     "view_change_ms: 501\n"
                                     "max_clients: 77\n"
                                     "batch_bytes: 2 MiB\n"
                                     "max_value_bytes: 1000\n"
                                     "checkpoint_ops: 128\n"
                                     "digest_ops: 4\n"
                                     "transfer_mib_per_s: 7\n"
                                     "pipeline: 3\n"
                                     "log_bytes: 9MiB\n", &diag), 0);
    assert_int_equal(config_to_vr(&c, 1, "1.0", &vr, &diag), 0);
    assert_int_equal(vr.witnesses, 1);
    assert_false(vr.durable);
    assert_int_equal(vr.oldest, 0); /* those of this program */
    assert_true(vr.leases);
    assert_int_equal(vr.clock_drift_ppm, 500);
    assert_int_equal(vr.heartbeat_ms, 50);
    assert_int_equal(vr.view_change_ms, 501);
    assert_int_equal(vr.max_clients, 77);
    assert_int_equal(vr.batch_bytes, 2 << 20);
    assert_int_equal(vr.max_answer_bytes, CONFIG_MAX_ANSWER_BYTES);
    assert_int_equal(vr.max_read_bytes, 1000 + READ_OVERHEAD);
    assert_int_equal(vr.checkpoint_ops, 128);
    assert_int_equal(vr.digest_ops, 4);
    assert_int_equal(vr.transfer_mib_per_s, 7);
    assert_int_equal(vr.pipeline, 3);
    assert_int_equal(vr.log_bytes, 9 << 20);
    assert_int_equal(vr.witness_log_bytes, 6 << 20); /* three batches */
    assert_int_equal(vr.segment_bytes, CONFIG_SEGMENT_BYTES);
    assert_string_equal(vr.status_addresses[2], "127.0.0.1:15623");
    assert_int_equal(parse(&c, THREE, &diag), 0);
    assert_int_equal(config_to_vr(&c, 0, "1.0", &vr, &diag), 0);
    assert_false(vr.leases);
    assert_int_equal(vr.witness_log_bytes, 3 << 20);
    assert_int_equal(parse(&c, THREE "batch_bytes: 16KiB\n", &diag), 0);
    assert_int_equal(config_to_vr(&c, 0, "1.0", &vr, &diag), 0);
    assert_int_equal(vr.witness_log_bytes, 3 << 20); /* and no less */
    assert_int_equal(parse(&c, "replicas_addresses: [a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,b:1,b:2,"
                               "b:3,b:4,b:5,b:6,b:7]\nwitnesses: [15, 1]\n", &diag), 0);
    assert_int_equal(config_to_vr(&c, 15, "1.0", &vr, &diag), 0);
    assert_int_equal(vr.witnesses, 0x8002);
}

static struct wire_settings settings_of(const struct config *config)
{
    struct vr_config vr;
    struct vstamp_diag diag = {0};
    assert_int_equal(config_to_vr(config, 0, "0", &vr, &diag), 0);
    return vr_settings(&vr);
}

static void a_list_of_replicas_is_the_same_group_as_the_file(void **state)
{
    struct config file, list, other;
    struct vstamp_diag diag = {0};
    (void)state;
    assert_int_equal(parse(&file, THREE, &diag), 0);
    assert_int_equal(
        config_from_replicas(&list, "127.0.0.1:14621,127.0.0.1:14622,127.0.0.1:14623", &diag), 0);
    assert_int_equal(
        config_from_replicas(&other, "127.0.0.1:14622,127.0.0.1:14621,127.0.0.1:14623", &diag), 0);
    assert_int_equal(list.replicas_addresses.n, 3);
    assert_int_equal(list.max_value_bytes, file.max_value_bytes);
    struct wire_settings wanted = settings_of(&file), listed = settings_of(&list);
    struct wire_settings others = settings_of(&other);
    struct vr_setting setting;
    assert_false(vr_settings_differ(&listed, &wanted, &setting));
    assert_false(vr_settings_differ(&others, &wanted, &setting)); /* another group, alike */
    assert_string_equal(list.replicas_addresses.at[0].text, file.replicas_addresses.at[0].text);
    other.max_clients++;
    others = settings_of(&other);
    assert_true(vr_settings_differ(&others, &wanted, &setting));
    assert_string_equal(setting.key, "max_clients");
    assert_string_equal(setting.theirs, "10001");
    assert_string_equal(setting.ours, "10000");
}

static void a_bad_list_of_replicas_is_refused(void **state)
{
    static const struct {
        const char *list, *sentence;
    } cases[] = {
        {"", "--replicas: expected HOST:PORT, found ''"},
        {"a:1,", "--replicas: expected HOST:PORT, found ''"},
        {"a:1,b", "--replicas: expected HOST:PORT, found 'b'"},
        {"a:1,b:2,a:1", "--replicas: a:1 is there twice"},
        {"a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9,b:1,b:2,b:3,b:4,b:5,b:6,b:7,b:8",
         "--replicas: expected at most 16 addresses"},
    };
    struct config c;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vstamp_diag diag = {0};
        assert_int_equal(config_from_replicas(&c, cases[i].list, &diag), VSTAMP_E_CONFIG);
        assert_string_equal(diag.text, cases[i].sentence);
    }
}

static void the_option_beats_the_environment_and_that_the_current_folder(void **state)
{
    char path[CONFIG_PATH_SIZE], long_path[CONFIG_PATH_SIZE + 1] = "";
    char folder[] = "/tmp/vstamp-test-config-XX"
                    "XX"
                    "XX";
    struct config c;
    struct vstamp_diag diag = {0};
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(unsetenv(CONFIG_ENVIRONMENT), 0);

    assert_int_equal(config_load(&c, NULL, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text,
                        "no configuration: there is no server-config.yaml in the current "
                        "folder: write one, or name it by --config FILE or "
                        "$VSTAMP_CONFIG");
    FILE *f = fopen(CONFIG_FILE_NAME, "w");
    assert_non_null(f);
    fputs(THREE, f);
    fclose(f);
    assert_int_equal(config_load(&c, NULL, &diag), 0);
    assert_string_equal(c.path, CONFIG_FILE_NAME);

    assert_int_equal(setenv(CONFIG_ENVIRONMENT, "", 1), 0); /* as if it were not set */
    assert_int_equal(config_find(path, NULL, &diag), 0);
    assert_string_equal(path, CONFIG_FILE_NAME);
    assert_int_equal(setenv(CONFIG_ENVIRONMENT, "absent.yaml", 1), 0);
    assert_int_equal(config_find(path, NULL, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "absent.yaml: No such file or directory: check $VSTAMP_CONFIG");
    assert_int_equal(config_find(path, CONFIG_FILE_NAME, &diag), 0);
    assert_string_equal(path, CONFIG_FILE_NAME);
    assert_int_equal(config_find(path, "gone.yaml", &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "gone.yaml: No such file or directory: check the name");

    assert_int_equal(config_load(&c, folder, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "Is a directory"));
    assert_int_equal(truncate(CONFIG_FILE_NAME, CONFIG_FILE_BYTES_MAX + 1), 0);
    assert_int_equal(config_load(&c, CONFIG_FILE_NAME, &diag), VSTAMP_E_CONFIG);
    assert_non_null(strstr(diag.text, "larger than a configuration can be"));
    memset(long_path, 'a', sizeof long_path - 1);
    assert_int_equal(config_load(&c, long_path, &diag), VSTAMP_E_CONFIG);
    assert_string_equal(diag.text, "the path of the configuration is too long");
    assert_int_equal(unlink(CONFIG_FILE_NAME), 0);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_five_line_file_is_enough),
        cmocka_unit_test(a_large_state_has_a_long_log_and_long_intervals),
        cmocka_unit_test(every_key_can_be_set_and_is_printed_as_it_would_be_written),
        cmocka_unit_test(each_mistake_has_its_line_its_column_and_what_was_expected),
        cmocka_unit_test(a_text_is_as_long_as_its_key_allows),
        cmocka_unit_test(a_small_batch_makes_the_largest_value_small_too),
        cmocka_unit_test(the_core_is_told_sizes_that_fit_each_other),
        cmocka_unit_test(what_is_configured_reaches_the_core),
        cmocka_unit_test(a_list_of_replicas_is_the_same_group_as_the_file),
        cmocka_unit_test(a_bad_list_of_replicas_is_refused),
        cmocka_unit_test(the_option_beats_the_environment_and_that_the_current_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
