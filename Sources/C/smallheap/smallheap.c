#include "smallheap.h"

#include <malloc.h>

// One heap for all threads: of its own accord the C library gives each thread one, whose free memory no other takes (mallopt(3)).
// What is free at its end goes back when it is 64 KiB, and it grows by 16 KiB, not by 128. These programs wait most of the
// time, so that nobody waits for the heap's lock.
__attribute__((constructor)) static void keep_small(void) {
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 << 10);
    mallopt(M_TOP_PAD, 16 << 10);
}
