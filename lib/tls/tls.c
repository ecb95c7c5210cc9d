/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenSSL does it.  It is given a BIO of our own, which reads the bytes of the caller in place, and
 * keeps what is to be sent until the caller has sent it. */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.h"

#define OUTPUT_KEEP (64u << 10) /* an empty buffer larger than this is given back */

enum { AUTHORITIES, CERTIFICATE, KEY, N_FILES };
static const char *const names[N_FILES] = {"ca.crt", "tls.crt", "tls.key"};

struct tls {
    unsigned n_shares;
    const char *by; /* what its folder is named by */
    SSL_CTX *context;
    BIO_METHOD *method;
    struct stat seen[N_FILES]; /* as the files were when they were looked at last */
    char paths[N_FILES][PATH_MAX];
};

struct tls_stream {
    struct tls *tls;
    SSL *ssl;
    struct bytes input; /* what is left of it */
    bool has_heard;     /* anything */
    uint8_t *output;
    size_t output_size, output_sent, output_capacity;
    bool was_up; /* which OpenSSL forgets when it fails */
    bool over;
    bool is_barred; /* by our certificate, or the want of one */
    char why[TLS_WHY_SIZE];
};

/* --- the folder ------------------------------------------------------------------------------- */

/* Of the newest complaint of OpenSSL; a file that cannot be opened has its errno there. */
static const char *complaint(void)
{
    unsigned long error = ERR_peek_error();

    if (ERR_SYSTEM_ERROR(error)) return strerror(ERR_GET_REASON(error));
    const char *reason = ERR_reason_error_string(error);
    return reason != NULL ? reason : "it makes no sense";
}

static int reject(const struct tls *tls, int file, const char *what, struct vstamp_diag *diag)
{
    unsigned long error = ERR_peek_error();
    bool denied = ERR_SYSTEM_ERROR(error) && ERR_GET_REASON(error) == EACCES;

    vstamp_diag_printf(diag, "%s: %s%s%s%s", tls->paths[file], what, complaint(),
                       denied ? ": name a folder with a certificate of your own by " : "",
                       denied ? tls->by : "");
    ERR_clear_error();
    return VSTAMP_E_CONFIG;
}

static int read_files(const struct tls *tls, SSL_CTX *context, struct vstamp_diag *diag)
{
    ERR_clear_error();
    if (SSL_CTX_load_verify_file(context, tls->paths[AUTHORITIES]) != 1)
        return reject(tls, AUTHORITIES, "no certificates of authorities: ", diag);
    if (SSL_CTX_use_certificate_chain_file(context, tls->paths[CERTIFICATE]) != 1)
        return reject(tls, CERTIFICATE, "no certificate: ", diag);
    if (SSL_CTX_use_PrivateKey_file(context, tls->paths[KEY], SSL_FILETYPE_PEM) != 1)
        return reject(tls, KEY, "no key for tls.crt: ", diag);
    return 0;
}

/* A key that wants a passphrase is of no use here: OpenSSL would ask for it at the terminal. */
static int on_passphrase(char *into, int size, int writing, void *context)
{
    (void)into;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

/* NULL with a sentence. */
static SSL_CTX *new_context(const struct tls *tls, struct vstamp_diag *diag)
{
    SSL_CTX *context = SSL_CTX_new(TLS_method());

    if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) {
        vstamp_diag_printf(diag, "could not start OpenSSL: %s", complaint());
        SSL_CTX_free(context);
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_default_passwd_cb(context, on_passphrase);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context, 0); /* connections last; none is taken up again */
    if (read_files(tls, context, diag) == 0) return context;
    SSL_CTX_free(context);
    return NULL;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* Has any of the files changed since it was looked at last?  One that is missing has not. */
static bool look(struct tls *tls)
{
    bool changed = false;

    for (int i = 0; i < N_FILES; i++) {
        struct stat now;
        if (stat(tls->paths[i], &now) != 0 || is_same(&now, &tls->seen[i])) continue;
        tls->seen[i] = now;
        changed = true;
    }
    return changed;
}

int tls_renew(struct tls *tls, struct vstamp_diag *diag)
{
    if (!look(tls)) return 0;
    SSL_CTX *context = new_context(tls, diag);
    if (context == NULL) return VSTAMP_E_CONFIG;
    SSL_CTX_free(tls->context); /* streams keep what they were begun with */
    tls->context = context;
    return 1;
}

/* 0 if it makes no sense. */
static int64_t seconds_between(const ASN1_TIME *from, const ASN1_TIME *to)
{
    int days, seconds;

    if (ASN1_TIME_diff(&days, &seconds, from, to) != 1) return 0;
    return (int64_t)days * 86400 + seconds;
}

uint64_t tls_not_after_s(const struct tls *tls)
{
    struct tm at;

    if (ASN1_TIME_to_tm(X509_get0_notAfter(SSL_CTX_get0_certificate(tls->context)), &at) != 1)
        return 0;
    time_t end = timegm(&at);
    return end > 0 ? (uint64_t)end : 0;
}

static bool is_number(const char *host)
{
    struct in6_addr address;

    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

/* For a server, and with this host as one of its names? */
static bool is_for_server(X509 *certificate, const char *host)
{
    if (X509_check_purpose(certificate, X509_PURPOSE_SSL_SERVER, 0) != 1) return false;
    return is_number(host) ? X509_check_ip_asc(certificate, host, 0) == 1
                           : X509_check_host(certificate, host, 0, 0, NULL) == 1;
}

/* Has it ended, or does it within a tenth of its life? */
static bool ends_soon(const struct tls *tls, const X509 *own, struct vstamp_diag *diag)
{
    const ASN1_TIME *end = X509_get0_notAfter(own);
    int64_t left = seconds_between(NULL, end); /* from now on */
    struct tm at;
    char when[sizeof "2026-11-27 12:00 UTC"];

    if (left > seconds_between(X509_get0_notBefore(own), end) / 10) return false;
    if (ASN1_TIME_to_tm(end, &at) != 1 || strftime(when, sizeof when, "%F %R UTC", &at) == 0)
        when[0] = '\0';
    vstamp_diag_printf(diag, "%s: %s %s: renew it", tls->paths[CERTIFICATE],
                       left > 0 ? "ends" : "has ended", when);
    return true;
}

bool tls_has_trouble(const struct tls *tls, const char *host, struct vstamp_diag *diag)
{
    X509 *own = SSL_CTX_get0_certificate(tls->context);

    if (ends_soon(tls, own, diag)) return true;
    if (host == NULL || (is_for_server(own, host) &&
                         X509_check_purpose(own, X509_PURPOSE_SSL_CLIENT, 0) == 1))
        return false;
    vstamp_diag_printf(diag, "%s: is not for a server and a client with the name %s: nobody lets "
                             "this replica in with it", tls->paths[CERTIFICATE], host);
    return true;
}

/* --- the BIO ---------------------------------------------------------------------------------- */

static int on_bio_read(BIO *bio, char *into, int size)
{
    struct tls_stream *s = BIO_get_data(bio);
    size_t n = s->input.size < (size_t)size ? s->input.size : (size_t)size;

    BIO_clear_retry_flags(bio);
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(into, s->input.data, n);
    s->input = (struct bytes){s->input.data + n, s->input.size - n};
    return (int)n;
}

static int on_bio_write(BIO *bio, const char *data, int size)
{
    struct tls_stream *s = BIO_get_data(bio);
    size_t wanted = s->output_size + (size_t)size;

    BIO_clear_retry_flags(bio);
    if (wanted > s->output_capacity) {
        size_t capacity = wanted < 2 * s->output_capacity ? 2 * s->output_capacity : wanted;
        uint8_t *larger = realloc(s->output, capacity);
        if (larger == NULL) return -1;
        s->output = larger;
        s->output_capacity = capacity;
    }
    memcpy(s->output + s->output_size, data, (size_t)size);
    s->output_size = wanted;
    return size;
}

static long on_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *new_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "vstamp");

    if (method == NULL) return NULL;
    BIO_meth_set_read(method, on_bio_read);
    BIO_meth_set_write(method, on_bio_write);
    BIO_meth_set_ctrl(method, on_bio_ctrl);
    return method;
}

/* --- what is shared --------------------------------------------------------------------------- */

int tls_open(struct tls **tls, const char *folder, const char *by, struct vstamp_diag *diag)
{
    struct tls *t = calloc(1, sizeof *t);

    *tls = NULL;
    if (t != NULL) t->method = new_method();
    if (t == NULL || t->method == NULL) {
        vstamp_diag_printf(diag, "out of memory");
        free(t);
        return VSTAMP_E_IO;
    }
    t->n_shares = 1;
    t->by = by;
    for (int i = 0; i < N_FILES; i++)
        if (snprintf(t->paths[i], PATH_MAX, "%s/%s", folder, names[i]) >= PATH_MAX)
            t->paths[i][0] = '\0'; /* which cannot be opened */
    look(t);
    t->context = new_context(t, diag);
    if (t->context == NULL) {
        tls_close(t);
        return VSTAMP_E_CONFIG;
    }
    *tls = t;
    return 0;
}

int tls_open_if_set(struct tls **tls, const char *folder, struct vstamp_diag *diag)
{
    *tls = NULL;
    return folder[0] != '\0' ? tls_open(tls, folder, TLS_BY_OPTION, diag) : 0;
}

struct tls *tls_share(struct tls *tls)
{
    if (tls != NULL) tls->n_shares++;
    return tls;
}

void tls_close(struct tls *tls)
{
    if (tls == NULL || --tls->n_shares > 0) return;
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* --- a stream --------------------------------------------------------------------------------- */

static struct tls_stream *new_stream(struct tls *tls)
{
    struct tls_stream *s = calloc(1, sizeof *s);
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = BIO_new(tls->method);

    if (s == NULL || ssl == NULL || bio == NULL) {
        BIO_free(bio);
        SSL_free(ssl);
        free(s);
        return NULL;
    }
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    s->ssl = ssl;
    s->tls = tls_share(tls);
    return s;
}

struct tls_stream *tls_dial(struct tls *tls, const char *host)
{
    struct tls_stream *s = new_stream(tls);

    if (s == NULL) return NULL;
    X509_VERIFY_PARAM *wanted = SSL_get0_param(s->ssl);
    bool set = is_number(host) ? X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1
                               : SSL_set1_host(s->ssl, host) == 1 &&
                                     SSL_set_tlsext_host_name(s->ssl, host) == 1;
    if (!set) {
        tls_stream_free(s);
        return NULL;
    }
    SSL_set_connect_state(s->ssl);
    tls_read(s, NULL, 0); /* the first word is ours */
    return s;
}

struct tls_stream *tls_accept(struct tls *tls)
{
    struct tls_stream *s = new_stream(tls);

    if (s != NULL) SSL_set_accept_state(s->ssl);
    return s;
}

void tls_stream_free(struct tls_stream *s)
{
    if (s == NULL) return;
    SSL_free(s->ssl);
    tls_close(s->tls);
    free(s->output);
    free(s);
}

/* OpenSSL counts the alerts of the other end from SSL_AD_REASON_OFFSET on. */
static void note_alert(struct tls_stream *s, int alert)
{
    bool of_ours = alert == SSL_AD_CERTIFICATE_REQUIRED || alert == SSL_AD_UNKNOWN_CA ||
                   (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN);

    s->is_barred = of_ours;
    snprintf(s->why, sizeof s->why, "%s: %s",
             of_ours ? "it does not take our certificate" : "the other end gave up TLS",
             SSL_alert_desc_string_long(alert));
}

/* Who speaks something else is told what this is, by an alert that OpenSSL does not send then:
 * "protocol_version". */
static void say_tls(struct tls_stream *s)
{
    static const char alert[] = {21, 3, 3, 0, 2, 2, SSL_AD_PROTOCOL_VERSION};

    if (s->output_size == 0) on_bio_write(SSL_get_wbio(s->ssl), alert, sizeof alert);
}

static void note_why(struct tls_stream *s)
{
    unsigned long error = ERR_peek_error();
    long verdict = SSL_get_verify_result(s->ssl);
    int reason = ERR_GET_REASON(error);

    if (verdict != X509_V_OK) {
        snprintf(s->why, sizeof s->why, "its certificate is not to be believed: %s",
                 X509_verify_cert_error_string(verdict));
    } else if (reason == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE) {
        snprintf(s->why, sizeof s->why, "it shows no certificate");
    } else if (reason > SSL_AD_REASON_OFFSET) {
        note_alert(s, reason - SSL_AD_REASON_OFFSET);
    } else if (!s->was_up) {
        snprintf(s->why, sizeof s->why, "it does not speak TLS 1.3: %s", complaint());
        say_tls(s);
    } else {
        snprintf(s->why, sizeof s->why, "TLS: %s", complaint());
    }
}

/* What OpenSSL's return value means: 0 to wait, -1 for the end. */
static ssize_t judge(struct tls_stream *s, int rv)
{
    int error = SSL_get_error(s->ssl, rv);

    if (error == SSL_ERROR_WANT_READ) return 0;
    s->over = true;
    if (error == SSL_ERROR_ZERO_RETURN)
        snprintf(s->why, sizeof s->why, "closed by the other end");
    else
        note_why(s);
    ERR_clear_error();
    return -1;
}

/* OpenSSL still knows the hello of SSL 2, whose first byte has this bit.  What is no TLS may look
 * like one, and would be waited for to its end; with this in its place it is refused at once. */
#define SSL2_BIT 0x80u

void tls_input(struct tls_stream *s, struct bytes bytes)
{
    static const uint8_t nobodys[SSL3_RT_HEADER_LENGTH];

    assert(s->input.size == 0 || s->over);
    bool is_ssl2 = !s->has_heard && bytes.size > 0 && (bytes.data[0] & SSL2_BIT) != 0;
    s->has_heard = true;
    s->input = is_ssl2 ? (struct bytes){nobodys, sizeof nobodys} : bytes;
}

ssize_t tls_read(struct tls_stream *s, void *into, size_t size)
{
    size_t n;

    if (s->over) return -1;
    ERR_clear_error();
    int rv = tls_is_up(s) ? 1 : SSL_do_handshake(s->ssl);
    s->was_up = rv == 1;
    if (rv == 1 && size == 0) return 0;
    if (rv == 1) rv = SSL_read_ex(s->ssl, into, size, &n);
    return rv == 1 ? (ssize_t)n : judge(s, rv);
}

ssize_t tls_write(struct tls_stream *s, struct bytes bytes)
{
    size_t n;

    if (s->over) return -1;
    if (!tls_is_up(s) || bytes.size == 0) return 0;
    ERR_clear_error();
    int rv = SSL_write_ex(s->ssl, bytes.data, bytes.size, &n);
    assert(rv != 1 || n == bytes.size);
    return rv == 1 ? (ssize_t)n : judge(s, rv);
}

struct bytes tls_output(const struct tls_stream *s)
{
    return (struct bytes){s->output + s->output_sent, s->output_size - s->output_sent};
}

void tls_sent(struct tls_stream *s, size_t size)
{
    s->output_sent += size;
    assert(s->output_sent <= s->output_size);
    if (s->output_sent < s->output_size) return;
    s->output_sent = s->output_size = 0;
    if (s->output_capacity <= OUTPUT_KEEP) return;
    free(s->output);
    s->output = NULL;
    s->output_capacity = 0;
}

bool tls_is_up(const struct tls_stream *s)
{
    return SSL_is_init_finished(s->ssl);
}

bool tls_is_host(const struct tls_stream *s, const char *host)
{
    X509 *shown = SSL_get0_peer_certificate(s->ssl);

    return shown != NULL && is_for_server(shown, host);
}

const char *tls_why(const struct tls_stream *s)
{
    return s->why;
}

bool tls_is_barred(const struct tls_stream *s)
{
    return s->is_barred;
}

/* A record's kind, of which there are four, and its version. */
bool tls_is_spoken(struct bytes bytes)
{
    return bytes.size >= 3 && bytes.data[0] >= 20 && bytes.data[0] <= 23 && bytes.data[1] == 3 &&
           bytes.data[2] <= 4;
}
