#include "wiping.h"

#include <malloc.h>
#include <string.h>

// Sanitizers have an allocator of their own, with its own ways to find what is used after it was freed.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define SRUP_OTHER_ALLOCATOR 1
#endif
#endif

#ifndef SRUP_OTHER_ALLOCATOR
// The C library's own, by the names that it has for programs which put something in front of them (glibc, "Replacing
// malloc"): the memory stays its own, so what was allocated by other calls (memalign, strdup) is freed here likewise.
extern void __libc_free(void *);
extern void *__libc_malloc(size_t);
extern void *__libc_realloc(void *, size_t);

void free(void *block) {
    if (!block) return;
    explicit_bzero(block, malloc_usable_size(block));
    __libc_free(block);
}

void *realloc(void *block, size_t size) {
    if (!block) return __libc_malloc(size);
    if (!size) {
        free(block);
        return NULL;
    }
    size_t old = malloc_usable_size(block);
    if (size <= old) {
        // The C library may give the end back, in place.
        explicit_bzero((char *)block + size, old - size);
        return __libc_realloc(block, size);
    }
    void *grown = __libc_malloc(size);
    if (!grown) return NULL;
    memcpy(grown, block, old);
    free(block);
    return grown;
}
#endif
