#include "server/tls.h"

#include "server/file.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CHAIN_MAX = 10, FILE_BYTES_MAX = 1 << 20, KEY_ID_BYTES = 32 };

const char tls_priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
    ":-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1"
    ":-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA"
    ":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"
    ":-MAC-ALL:+AEAD:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE";

/* A certificate, those that lead to its issuer, and its key. */
struct identity {
    gnutls_x509_crt_t *chain; /* of GnuTLS's memory */
    unsigned n;
    gnutls_x509_privkey_t key;
};

struct tls {
    char *cert, *key; /* paths */
    pthread_mutex_t mutex;
    struct identity now;
};

/* Where a message goes to; the first one stays. */
struct complaint {
    char *why;
    size_t n;
};

__attribute__((format(printf, 2, 3))) static int complain(struct complaint c,
                                                          const char *format,
                                                          ...)
{
    va_list args;
    va_start(args, format);
    if (c.n > 0 && !*c.why)
        vsnprintf(c.why, c.n, format, args);
    va_end(args);
    return -1;
}

static void identity_free(struct identity *id)
{
    for (unsigned i = 0; i < id->n; i++)
        gnutls_x509_crt_deinit(id->chain[i]);
    gnutls_free(id->chain);
    gnutls_x509_privkey_deinit(id->key);
    *id = (struct identity){0};
}

static int read_file(const char *path, gnutls_datum_t *data, struct complaint c)
{
    char *text;
    size_t len;
    if (file_read_small(path, FILE_BYTES_MAX, &text, &len)) {
        complain(c, "cannot read %s: %s", path, strerror(errno));
        return -1;
    }
    *data = (gnutls_datum_t){(unsigned char *)text, (unsigned)len};
    return 0;
}

static int read_chain(const char *path, struct identity *id, struct complaint c)
{
    gnutls_datum_t pem = {0};
    if (read_file(path, &pem, c))
        return -1;
    int rc = gnutls_x509_crt_list_import2(&id->chain, &id->n, &pem,
                                          GNUTLS_X509_FMT_PEM,
                                          GNUTLS_X509_CRT_LIST_SORT);
    free(pem.data);
    if (rc < 0) {
        id->chain = NULL;
        id->n = 0;
    }
    if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND || (rc >= 0 && id->n == 0))
        return complain(c,
                        "%s has no certificate; it must have a line "
                        "-----BEGIN CERTIFICATE-----",
                        path);
    if (rc < 0)
        return complain(c, "cannot use the certificates in %s: %s", path,
                        gnutls_strerror(rc));
    if (id->n > CHAIN_MAX)
        return complain(c, "%s has %u certificates, at most %d are sent", path,
                        id->n, CHAIN_MAX);
    return 0;
}

static bool is_encrypted(const gnutls_datum_t *pem)
{
    return memmem(pem->data, pem->size, "ENCRYPTED", strlen("ENCRYPTED"));
}

static int read_key(const char *path, struct identity *id, struct complaint c)
{
    gnutls_datum_t pem = {0};
    if (read_file(path, &pem, c))
        return -1;
    int rc = gnutls_x509_privkey_init(&id->key);
    if (rc == 0)
        rc = gnutls_x509_privkey_import2(id->key, &pem, GNUTLS_X509_FMT_PEM,
                                         NULL, 0);
    bool encrypted = rc < 0 && is_encrypted(&pem);
    explicit_bzero(pem.data, pem.size);
    free(pem.data);
    if (encrypted)
        return complain(c,
                        "the key in %s is encrypted; openssl pkey -in %s "
                        "writes it without a passphrase",
                        path, path);
    if (rc < 0)
        return complain(c, "cannot use the key in %s: %s", path,
                        gnutls_strerror(rc));
    return 0;
}

/* The key is the certificate's, and of a kind that tls_priorities allow. */
static int check_pair(const struct tls *tls, const struct identity *id,
                      struct complaint c)
{
    unsigned char mine[KEY_ID_BYTES], its[KEY_ID_BYTES];
    size_t n_mine = sizeof(mine), n_its = sizeof(its);
    gnutls_pk_algorithm_t kind =
        (gnutls_pk_algorithm_t)gnutls_x509_privkey_get_pk_algorithm(id->key);
    if (kind != GNUTLS_PK_RSA && kind != GNUTLS_PK_RSA_PSS &&
        kind != GNUTLS_PK_ECDSA && kind != GNUTLS_PK_EDDSA_ED25519 &&
        kind != GNUTLS_PK_EDDSA_ED448)
        return complain(c, "the key in %s is %s; make one of RSA or ECDSA",
                        tls->key, gnutls_pk_get_name(kind));
    if (gnutls_x509_privkey_get_key_id(id->key, GNUTLS_KEYID_USE_SHA256, mine,
                                       &n_mine) ||
        gnutls_x509_crt_get_key_id(id->chain[0], GNUTLS_KEYID_USE_SHA256, its,
                                   &n_its) ||
        n_mine != n_its || memcmp(mine, its, n_mine) != 0)
        return complain(
            c, "the key in %s is not that of the first certificate in %s",
            tls->key, tls->cert);
    return 0;
}

static void format_day(time_t when, char text[16])
{
    struct tm utc;
    if (!gmtime_r(&when, &utc) || !strftime(text, 16, "%Y-%m-%d", &utc))
        snprintf(text, 16, "?");
}

/* What does not keep it from being used. */
static void warn(const struct tls *tls, const struct identity *id,
                 struct complaint c)
{
    time_t now = time(NULL);
    struct stat st;
    char day[16];
    for (unsigned i = 0; i < id->n; i++) {
        time_t from = gnutls_x509_crt_get_activation_time(id->chain[i]);
        time_t to = gnutls_x509_crt_get_expiration_time(id->chain[i]);
        bool expired = to < now;
        if (!expired && from <= now)
            continue;
        format_day(expired ? to : from, day);
        complain(c, "certificate %u in %s %s %s; clients will refuse it", i + 1,
                 tls->cert, expired ? "expired on" : "is not valid before",
                 day);
    }
    if (stat(tls->key, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)))
        complain(c, "%s can be %s by every user; chmod 600 %s", tls->key,
                 st.st_mode & S_IWOTH ? "written" : "read", tls->key);
}

static int identity_read(const struct tls *tls, struct identity *id, char *why,
                         size_t n)
{
    struct complaint c = {why, n};
    if (n > 0)
        *why = '\0';
    *id = (struct identity){0};
    if (read_chain(tls->cert, id, c) || read_key(tls->key, id, c) ||
        check_pair(tls, id, c)) {
        identity_free(id);
        return -1;
    }
    warn(tls, id, c);
    return 0;
}

struct tls *tls_new(const char *cert, const char *key, char *why, size_t n)
{
    struct tls *tls = calloc(1, sizeof(*tls));
    if (!tls || pthread_mutex_init(&tls->mutex, NULL)) {
        free(tls);
        snprintf(why, n, "no memory for TLS");
        return NULL;
    }
    tls->cert = strdup(cert);
    tls->key = strdup(key);
    if (!tls->cert || !tls->key)
        snprintf(why, n, "no memory for TLS");
    else if (identity_read(tls, &tls->now, why, n) == 0)
        return tls;
    tls_free(tls);
    return NULL;
}

int tls_reload(struct tls *tls, char *why, size_t n)
{
    struct identity next, old;
    if (identity_read(tls, &next, why, n))
        return -1;
    pthread_mutex_lock(&tls->mutex);
    old = tls->now;
    tls->now = next;
    pthread_mutex_unlock(&tls->mutex);
    identity_free(&old);
    return 0;
}

static _Atomic(struct tls *) served;

void tls_serve(struct tls *tls)
{
    atomic_store(&served, tls);
}

void tls_free(struct tls *tls)
{
    struct tls *mine = tls;
    if (!tls)
        return;
    atomic_compare_exchange_strong(&served, &mine, NULL);
    identity_free(&tls->now);
    pthread_mutex_destroy(&tls->mutex);
    free(tls->cert);
    free(tls->key);
    free(tls);
}

/* Copies for one handshake, in memory that GnuTLS will free. */
static int copy(const struct identity *id, gnutls_pcert_st **certs,
                unsigned *n_certs, gnutls_privkey_t *key)
{
    gnutls_pcert_st *chain = gnutls_calloc(id->n, sizeof(*chain));
    gnutls_privkey_t own = NULL;
    unsigned n = 0;
    if (!chain || gnutls_privkey_init(&own) ||
        gnutls_privkey_import_x509(own, id->key, GNUTLS_PRIVKEY_IMPORT_COPY))
        goto failed;
    for (; n < id->n; n++)
        if (gnutls_pcert_import_x509(&chain[n], id->chain[n], 0))
            goto failed;
    *certs = chain;
    *n_certs = n;
    *key = own;
    return 0;
failed:
    while (n > 0)
        gnutls_pcert_deinit(&chain[--n]);
    gnutls_free(chain);
    gnutls_privkey_deinit(own);
    return -1;
}

int tls_retrieve(gnutls_session_t session,
                 const struct gnutls_cert_retr_st *info,
                 gnutls_pcert_st **certs, unsigned *n_certs,
                 gnutls_ocsp_data_st **ocsp, unsigned *n_ocsp,
                 gnutls_privkey_t *key, unsigned *flags)
{
    struct tls *tls = atomic_load(&served);
    (void)session;
    (void)info;
    *ocsp = NULL;
    *n_ocsp = 0;
    *flags |= GNUTLS_CERT_RETR_DEINIT_ALL;
    if (!tls)
        return -1;
    pthread_mutex_lock(&tls->mutex);
    int rc = copy(&tls->now, certs, n_certs, key);
    pthread_mutex_unlock(&tls->mutex);
    return rc;
}
