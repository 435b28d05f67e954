#include "tests/certificate.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define NEED(call)                                                            \
    do {                                                                      \
        if ((call) < 0) {                                                     \
            fprintf(stderr, "%s:%d: %s failed\n", __FILE__, __LINE__, #call); \
            abort();                                                          \
        }                                                                     \
    } while (0)

struct certificate certificate_new(gnutls_pk_algorithm_t kind, const char *name,
                                   const struct certificate *by, int issuer,
                                   long from_s, long to_s)
{
    static uint8_t serial;
    struct certificate c;
    unsigned bits = kind == GNUTLS_PK_ECDSA
                        ? GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1)
                        : 2048;
    time_t now = time(NULL);
    serial++;
    NEED(gnutls_x509_privkey_init(&c.key));
    NEED(gnutls_x509_privkey_generate(c.key, kind, bits, 0));
    NEED(gnutls_x509_crt_init(&c.crt));
    NEED(gnutls_x509_crt_set_version(c.crt, 3));
    NEED(gnutls_x509_crt_set_serial(c.crt, &serial, sizeof(serial)));
    NEED(gnutls_x509_crt_set_dn_by_oid(c.crt, GNUTLS_OID_X520_COMMON_NAME, 0,
                                       name, (unsigned)strlen(name)));
    NEED(gnutls_x509_crt_set_subject_alt_name(c.crt, GNUTLS_SAN_DNSNAME,
                                              "localhost", 9, 0));
    NEED(gnutls_x509_crt_set_activation_time(c.crt, now + from_s));
    NEED(gnutls_x509_crt_set_expiration_time(c.crt, now + to_s));
    NEED(gnutls_x509_crt_set_basic_constraints(c.crt, (unsigned)issuer, -1));
    NEED(gnutls_x509_crt_set_key(c.crt, c.key));
    const struct certificate *signer = by ? by : &c;
    int edwards = gnutls_x509_privkey_get_pk_algorithm(signer->key) ==
                  GNUTLS_PK_EDDSA_ED25519;
    NEED(gnutls_x509_crt_sign2(c.crt, signer->crt, signer->key,
                               edwards ? GNUTLS_DIG_SHA512 : GNUTLS_DIG_SHA256,
                               0));
    return c;
}

void certificate_free(struct certificate *c)
{
    gnutls_x509_crt_deinit(c->crt);
    gnutls_x509_privkey_deinit(c->key);
}

void certificate_write(const char *path, const struct certificate *const *c,
                       size_t n)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        abort();
    for (size_t i = 0; i < n; i++) {
        gnutls_datum_t pem;
        NEED(gnutls_x509_crt_export2(c[i]->crt, GNUTLS_X509_FMT_PEM, &pem));
        fwrite(pem.data, 1, pem.size, f);
        gnutls_free(pem.data);
    }
    NEED(fclose(f));
}

void certificate_write_key(const char *path, const struct certificate *c,
                           const char *password)
{
    gnutls_datum_t pem;
    NEED(gnutls_x509_privkey_export2_pkcs8(
        c->key, GNUTLS_X509_FMT_PEM, password,
        password ? GNUTLS_PKCS_PBES2_AES_256 : GNUTLS_PKCS_PLAIN, &pem));
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(pem.data, 1, pem.size, f) != pem.size)
        abort();
    NEED(fclose(f));
    NEED(chmod(path, 0600));
    gnutls_free(pem.data);
}
