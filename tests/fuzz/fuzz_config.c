/* SPDX-License-Identifier: BSD-2-Clause */
/* Any bytes as the configuration file.  What is refused is refused with file, line and column, a
 * place that the file has; what is accepted can be printed key by key, and the printed file is
 * accepted and means the same; and a core can be built by it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fuzz/fuzz.h"
#include "program/config.h"

#define NAME "f"

const char fuzz_aim[] = "a configuration is accepted";
unsigned long fuzz_hits;
const unsigned fuzz_copies = 100;

static void check_refusal(const uint8_t *data, size_t size, const char *sentence)
{
    size_t line, column, n_lines = 1;
    int used = 0;
    int n = sscanf(sentence, NAME ":%zu:%zu: %n", &line, &column, &used);
    assert(n == 2 && used > 0 && sentence[used] != '\0');
    for (size_t i = 0; i < size; i++) {
        bool cr = data[i] == '\r' && (i + 1 == size || data[i + 1] != '\n');
        bool wide = data[i] == 0x85 || data[i] == 0xa8 || data[i] == 0xa9; /* YAML's other breaks */
        n_lines += data[i] == '\n' || cr || wide;
    }
    assert(line >= 1 && line <= n_lines + 1 && column >= 1 && column <= size + 1);
}

/* As config_print would have it written; what is quoted there must not need more than quotes. */
static void print_file(const struct config *config, FILE *into)
{
    static char value[REPLICAS_MAX * (ADDRESS_BYTES_MAX + 4) + CONFIG_PATH_SIZE];
    for (size_t key = 0; key < config_n_keys; key++) {
        config_print(config, key, value, sizeof value);
        if (value[0] == '\0') continue; /* it was not given */
        if (config_keys[key].type == CONFIG_TYPE_TEXT) { /* may hold what YAML gives a meaning */
            fprintf(into, "%s: \"", config_keys[key].name);
            for (const char *at = value; *at != '\0'; at++) {
                if (*at == '"' || *at == '\\') putc('\\', into);
                if (*at == '\n') fputs("\\n", into);
                else if (*at == '\r') fputs("\\r", into);
                else if (*at == '\t') fputs("\\t", into);
                else putc(*at, into);
            }
            fputs("\"\n", into);
        } else {
            fprintf(into, "%s: %s\n", config_keys[key].name, value);
        }
    }
}

/* A text that has bytes which YAML takes only by number cannot be printed so simply. */
static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;
        if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c > '~') return false;
    }
    return true;
}

static void check_acceptance(const struct config *config)
{
    static struct config again;
    struct vstamp_diag diag = {0};
    struct vr_config vr;
    size_t n = config->replicas_addresses.n;
    assert(n >= 1 && n <= REPLICAS_MAX && config->status_addresses.n == n);
    for (uint32_t i = 0; i < n; i++) assert(config_to_vr(config, i, "0", &vr, &diag) == 0);
    assert(config_to_vr(config, (uint32_t)n, "0", &vr, &diag) == VSTAMP_E_CONFIG);
    if (!is_plain(config->data_dir) || !is_plain(config->app) || !is_plain(config->app_argument) ||
        !is_plain(config->app_exec))
        return;

    char *text = NULL;
    size_t size;
    FILE *into = open_memstream(&text, &size);
    assert(into != NULL);
    print_file(config, into);
    fclose(into);
    assert(config_parse(&again, NAME, text, size, &diag) == 0);
    assert(memcmp(config, &again, sizeof again) == 0);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct vstamp_diag diag = {0};
    int rv = config_parse(&config, NAME, (const char *)data, size, &diag);
    if (rv == 0) {
        fuzz_hits++;
        check_acceptance(&config);
    } else {
        assert(rv == VSTAMP_E_CONFIG);
        check_refusal(data, size, diag.text);
    }
    return 0;
}
