/*
 * For LD_PRELOAD: allocations of a whole process that fail while somebody
 * outside says so, by a file that both have in memory (FAILING_CONTROL names
 * it): four numbers of eight bytes each.
 *
 *   every    each so manieth allocation fails; 0 = none does
 *   least    only those of at least so many bytes count
 *   seen     those since the program began
 *   failed   those of them that failed
 *
 * What fails is malloc, calloc, realloc and aligned_alloc and their relatives,
 * whoever calls them, but for two libraries below GnuTLS that do not survive
 * it: GMP aborts the process by design, and libtasn1 4.19 writes to NULL.
 */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct control {
    atomic_ullong every, least, seen, failed;
};

static _Atomic(struct control *) control;

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

/* Where the code is of those who are not failed. */
static const char *const spared[] = {"libgmp.so", "libtasn1.so"};
enum { SPARED = sizeof(spared) / sizeof(spared[0]) };
static struct {
    uintptr_t begin, end;
} code[SPARED];

static int find_code(struct dl_phdr_info *library, size_t size, void *unused)
{
    size_t row = 0;
    (void)size;
    (void)unused;
    while (row < SPARED && !strstr(library->dlpi_name, spared[row]))
        row++;
    if (row == SPARED)
        return 0;
    code[row].begin = library->dlpi_addr;
    for (size_t i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        uintptr_t end = library->dlpi_addr + part->p_vaddr + part->p_memsz;
        if (part->p_type == PT_LOAD && end > code[row].end)
            code[row].end = end;
    }
    return 0;
}

static int is_spared(const void *caller)
{
    uintptr_t at = (uintptr_t)caller;
    int found = 0;
    for (size_t i = 0; i < SPARED; i++)
        found |= at >= code[i].begin && at < code[i].end;
    return found;
}

__attribute__((constructor)) static void begin(void)
{
    dl_iterate_phdr(find_code, NULL);
    const char *path = getenv("FAILING_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at = MAP_FAILED;
    if (fd >= 0) {
        at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE,
                  MAP_SHARED, fd, 0);
        close(fd);
    }
    if (at != MAP_FAILED)
        atomic_store(&control, at);
}

static int fails(size_t bytes, const void *caller)
{
    struct control *c = atomic_load(&control);
    if (!c || bytes < atomic_load(&c->least) || is_spared(caller))
        return 0;
    unsigned long long i = atomic_fetch_add(&c->seen, 1);
    unsigned long long every = atomic_load(&c->every);
    if (every == 0 || i % every != 0)
        return 0;
    atomic_fetch_add(&c->failed, 1);
    errno = ENOMEM;
    return 1;
}

#define FAILS(bytes) fails(bytes, __builtin_return_address(0))

void *malloc(size_t n)
{
    return FAILS(n) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return FAILS(n * size) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return FAILS(n) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return FAILS(n) ? NULL : __libc_memalign(align, n);
}

void *memalign(size_t align, size_t n)
{
    return FAILS(n) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    *p = FAILS(n) ? NULL : __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}
