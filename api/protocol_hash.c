#include "api/protocol_hash.h"

#include <nettle/sha2.h>
#include <stdint.h>
#include <stdio.h>

void protocol_hash(const char *text, size_t len, char hash[PROTOCOL_HASH_BYTES])
{
    struct sha256_ctx ctx;
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_init(&ctx);
    sha256_update(&ctx, len, (const uint8_t *)text);
    sha256_digest(&ctx, sizeof(digest), digest);
    int n = snprintf(hash, PROTOCOL_HASH_BYTES, "sha256:");
    for (size_t i = 0; i < sizeof(digest); i++)
        n += snprintf(hash + n, PROTOCOL_HASH_BYTES - (size_t)n, "%02x",
                      digest[i]);
}
