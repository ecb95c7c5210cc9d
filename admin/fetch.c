/* SPDX-License-Identifier: BSD-2-Clause */
/* libcurl's multi interface in one thread.  The addresses come from the configuration: proxies of
 * the environment and redirects would ask somebody else, so neither is followed. */
#include "admin/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "program/escape.h"

/* A URL is "http://", the address with '%' written as "%25", and the path. */
#define URL_SIZE (3 * ADDRESS_BYTES_MAX + 64)

#define SENTENCE_MAX 80u /* with which a replica says that it cannot tell now */

static size_t on_body(char *data, size_t one, size_t size, void *context)
{
    struct fetch *f = context;
    assert(one == 1);
    if (size > FETCH_BYTES_MAX - f->size) return 0; /* makes it a CURLE_WRITE_ERROR */
    char *body = realloc(f->body, f->size + size + 1);
    if (body == NULL) return 0;
    memcpy(body + f->size, data, size);
    f->body = body;
    f->size += size;
    f->body[f->size] = '\0';
    return size;
}

static void make_url(const struct fetch *f, char url[static URL_SIZE])
{
    size_t n = (size_t)snprintf(url, URL_SIZE, "http://");
    for (const char *at = f->address->text; *at != '\0'; at++) {
        n += (size_t)snprintf(url + n, URL_SIZE - n, *at == '%' ? "%%25" : "%c", *at);
    }
    n += (size_t)snprintf(url + n, URL_SIZE - n, "%s", f->path);
    assert(n < URL_SIZE);
}

static CURL *begin(struct fetch *f, uint32_t timeout_ms)
{
    char url[URL_SIZE];
    CURL *easy = curl_easy_init();

    f->ok = false;
    f->body = NULL;
    f->size = 0;
    snprintf(f->error, sizeof f->error, "not asked"); /* replaced when it ends */
    if (easy == NULL) return NULL;
    make_url(f, url);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L); /* no wait for a name server that hangs */
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, f);
    return easy;
}

static void explain(struct fetch *f, CURL *easy, CURLcode code, uint32_t timeout_ms)
{
    long os_error = 0;
    curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error);
    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(f->error, sizeof f->error, "no answer within %g s", timeout_ms / 1000.0);
    } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        snprintf(f->error, sizeof f->error, "no host of that name");
    } else if (code == CURLE_COULDNT_CONNECT && os_error != 0) {
        snprintf(f->error, sizeof f->error, "%s", strerror((int)os_error));
    } else if (code == CURLE_WRITE_ERROR) {
        snprintf(f->error, sizeof f->error, "the answer is longer than %u bytes", FETCH_BYTES_MAX);
    } else {
        snprintf(f->error, sizeof f->error, "%s", curl_easy_strerror(code));
    }
}

static void end(CURL *easy, CURLcode code, uint32_t timeout_ms)
{
    struct fetch *f = NULL;
    long http_status = 0;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&f);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &http_status);
    if (code != CURLE_OK) {
        explain(f, easy, code, timeout_ms);
    } else if (http_status == 503 && f->body != NULL && f->size < SENTENCE_MAX) {
        f->body[strcspn(f->body, "\n")] = '\0';
        escape_plain(f->body);
        snprintf(f->error, sizeof f->error, "%s", f->body);
    } else if (http_status != 200) {
        snprintf(f->error, sizeof f->error, "answered with HTTP status %ld", http_status);
    } else if (f->body == NULL) {
        snprintf(f->error, sizeof f->error, "answered with nothing");
    } else {
        f->ok = true;
        f->error[0] = '\0';
        return;
    }
    fetch_close(f);
}

static void carry_out(CURLM *multi, uint32_t timeout_ms)
{
    const CURLMsg *message;
    int n_running, n_left;

    do { /* ends because each transfer has its own time-out */
        if (curl_multi_perform(multi, &n_running) != CURLM_OK) break;
        if (n_running > 0) curl_multi_poll(multi, NULL, 0, (int)timeout_ms, NULL);
    } while (n_running > 0);
    while ((message = curl_multi_info_read(multi, &n_left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            end(message->easy_handle, message->data.result, timeout_ms);
}

void fetch_all(struct fetch *fetches, size_t n, uint32_t timeout_ms)
{
    CURL *easies[FETCHES_MAX] = {NULL};
    CURLM *multi = curl_multi_init();

    assert(n <= FETCHES_MAX);
    for (size_t i = 0; i < n; i++) {
        easies[i] = begin(&fetches[i], timeout_ms);
        if (multi != NULL && easies[i] != NULL) curl_multi_add_handle(multi, easies[i]);
    }
    if (multi != NULL) carry_out(multi, timeout_ms);
    for (size_t i = 0; i < n; i++) {
        if (multi != NULL && easies[i] != NULL) curl_multi_remove_handle(multi, easies[i]);
        curl_easy_cleanup(easies[i]);
    }
    curl_multi_cleanup(multi);
}

void fetch_close(struct fetch *fetch)
{
    free(fetch->body);
    fetch->body = NULL;
    fetch->size = 0;
}
