/* SPDX-License-Identifier: BSD-2-Clause */
/* Authorities, and folders with certificates of theirs as <tls/tls.h> takes them, all below one
 * temporary folder. */
#ifndef UNIT_CERTIFICATES_H
#define UNIT_CERTIFICATES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tls/tls.h"

#define DAY_S  86400L
#define SERVER "serverAuth,clientAuth"
#define CLIENT "clientAuth"

struct authority {
    X509 *certificate;
    EVP_PKEY *key;
};

static char root[] = "/tmp/vstamp-certificates-XXXXXX";
static struct authority ours, theirs;
static long serial;

static inline void extend(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* `days` from now on until which it holds; signed by `by`, or by itself. */
static inline struct authority issue(const char *name, const struct authority *by, long days)
{
    struct authority made = {X509_new(), EVP_EC_gen("P-256")};
    X509_NAME *subject = X509_get_subject_name(made.certificate);

    X509_set_version(made.certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1, 0);
    X509_gmtime_adj(X509_getm_notBefore(made.certificate), -30 * DAY_S);
    X509_gmtime_adj(X509_getm_notAfter(made.certificate), days * DAY_S);
    X509_set_pubkey(made.certificate, made.key);
    X509_set_issuer_name(made.certificate,
                         by != NULL ? X509_get_subject_name(by->certificate) : subject);
    return made;
}

static inline void sign(const struct authority *made, const struct authority *by)
{
    assert_true(X509_sign(made->certificate, by->key, EVP_sha256()) > 0);
}

static inline void drop(struct authority *a)
{
    X509_free(a->certificate);
    EVP_PKEY_free(a->key);
}

static inline struct authority new_authority(const char *name)
{
    struct authority made = issue(name, NULL, 10);

    extend(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
    sign(&made, &made);
    return made;
}

static inline FILE *open_in(const char *folder, const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/%s/%s", root, folder, name);
    unlink(path); /* so that it is another file, however coarse the clock */
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    return file;
}

/* A folder with a certificate of `by` for these uses and names (NULL: none), which believes in
 * `believed`. */
static inline void write_folder(const char *folder, const struct authority *by, const char *uses,
                                const char *names, long days, const struct authority *believed)
{
    char path[200];
    struct authority made = issue(folder, by, days);

    extend(made.certificate, NID_ext_key_usage, uses);
    if (names != NULL) extend(made.certificate, NID_subject_alt_name, names);
    sign(&made, by);
    snprintf(path, sizeof path, "%s/%s", root, folder);
    mkdir(path, 0700);
    FILE *file = open_in(folder, "ca.crt");
    PEM_write_X509(file, believed->certificate);
    fclose(file);
    file = open_in(folder, "tls.crt");
    PEM_write_X509(file, made.certificate);
    fclose(file);
    file = open_in(folder, "tls.key");
    PEM_write_PrivateKey(file, made.key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    drop(&made);
}

static inline struct tls *open_folder(const char *folder)
{
    char path[200];
    struct tls *tls;
    struct vstamp_diag diag = {0};

    snprintf(path, sizeof path, "%s/%s", root, folder);
    if (tls_open(&tls, path, "it", &diag) != 0) fail_msg("%s", diag.text);
    return tls;
}

/* As set-up and tear-down of a group of tests. */

static inline int make_folders(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL) return -1;
    ours = new_authority("ours");
    theirs = new_authority("theirs");
    write_folder("replica", &ours, SERVER, "IP:127.0.0.1,DNS:replica.example", 10, &ours);
    write_folder("client", &ours, CLIENT, NULL, 10, &ours);
    write_folder("stranger", &theirs, CLIENT, NULL, 10, &ours);
    write_folder("late", &ours, CLIENT, NULL, -1, &ours);
    write_folder("posing", &ours, CLIENT, "IP:127.0.0.1", 10, &ours);
    return 0;
}

static inline int remove_folders(void **state)
{
    char command[200];

    (void)state;
    drop(&ours);
    drop(&theirs);
    snprintf(command, sizeof command, "rm -r '%s'", root);
    return system(command);
}

#endif
