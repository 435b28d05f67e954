/* Keys and certificates for tests, made while they run. */
#ifndef EVALD_TESTS_CERTIFICATE_H
#define EVALD_TESTS_CERTIFICATE_H

#include <gnutls/x509.h>

struct certificate {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

/*
 * A certificate with a key of its own, valid from now + from_s to now + to_s,
 * for localhost or, as an issuer, for others.  By is who signs it, NULL
 * itself.  Aborts where GnuTLS fails.
 */
struct certificate certificate_new(gnutls_pk_algorithm_t kind, const char *name,
                                   const struct certificate *by, int issuer,
                                   long from_s, long to_s);

void certificate_free(struct certificate *c);

/* Writes the certificates of n, in order, as PEM. */
void certificate_write(const char *path, const struct certificate *const *c,
                       size_t n);

/* Writes a key as PEM, PKCS#8; encrypted if there is a password. */
void certificate_write_key(const char *path, const struct certificate *c,
                           const char *password);

#endif
