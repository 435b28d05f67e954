/*
 * TLS: the certificate and key that libmicrohttpd's handshakes use, and their
 * exchange while it runs.
 *
 * libmicrohttpd keeps the credentials that it was started with, so they are
 * not what it is given: it asks tls_retrieve at each handshake, by
 * MHD_OPTION_HTTPS_CERT_CALLBACK2.  GnuTLS holds what the callback gives until
 * the session ends, which may be hours after a reload.  So each handshake gets
 * copies of its own, which GnuTLS frees with the session: nothing old has to
 * outlive anything, and a reload frees what it replaces at once.  A copy takes
 * some 10 us per certificate and 10 us for the key; signing with RSA of 2048
 * bits takes 2 ms, with ECDSA on P-256 0.09 ms.
 *
 * All of it may be called from several threads.
 */
#ifndef EVALD_SERVER_TLS_H
#define EVALD_SERVER_TLS_H

#include <gnutls/abstract.h>
#include <stddef.h>

struct tls;

/*
 * For MHD_OPTION_HTTPS_PRIORITIES: TLS 1.3 and 1.2, forward secrecy and
 * authenticated ciphers only, the server's order, and no SHA-1.
 */
extern const char tls_priorities[];

/*
 * Reads PEM files: the certificate, then those of its issuers, and its key, not
 * encrypted.  NULL with one line in why, which names the file and the
 * fix.  On success why is "" or a warning for the log: a certificate that has
 * expired or is not valid yet, or a key that others can read.  The paths are
 * copied.
 */
struct tls *tls_new(const char *cert, const char *key, char *why, size_t n)
    __attribute__((warn_unused_result));

/*
 * Reads the files again; handshakes from now on use them.  -1 with a line in
 * why if they cannot be used: what was in force stays.  why as in tls_new.
 */
int tls_reload(struct tls *tls, char *why, size_t n)
    __attribute__((warn_unused_result));

/* No handshake may come any more: stop the daemons before. */
void tls_free(struct tls *tls);

/*
 * The callback has no context of its caller's: it uses the struct tls that was
 * named last here.  NULL, as at first: every handshake fails.
 */
void tls_serve(struct tls *tls);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. */
gnutls_certificate_retrieve_function3 tls_retrieve;

#endif
