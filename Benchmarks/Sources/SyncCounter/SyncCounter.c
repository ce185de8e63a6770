// Counts how often a program waits for the disk, and SQLite's commits; everything is done all the same:
//
//   SRUP_SYNC_COUNTS=/tmp/counts LD_PRELOAD=libSyncCounter.so PROGRAM
//
// The file is made when it is not there. A program that is started again counts on.

#define _GNU_SOURCE
#include "SyncCounter.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct srup_sync_counts *counts;

__attribute__((constructor)) static void open_counts(void) {
    const char *path = getenv("SRUP_SYNC_COUNTS");
    if (!path) return;
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    void *page = ftruncate(file, sizeof *counts) == 0
        ? mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    close(file);
    if (page != MAP_FAILED) counts = page;
}

static void count(uint64_t *counter) {
    if (counts) __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

int fsync(int file) {
    if (counts) count(&counts->fsyncs);
    return (int)syscall(SYS_fsync, file);
}

int fdatasync(int file) {
    if (counts) count(&counts->fdatasyncs);
    return (int)syscall(SYS_fdatasync, file);
}

// Whether the file is a write-ahead log of SQLite's, by its name.
static int is_log(int file) {
    char link[64], name[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, name, sizeof name);
    return length > 4 && memcmp(name + length - 4, "-wal", 4) == 0;
}

// A frame begins with 24 bytes that SQLite writes by themselves. In the frame that commits, the second word is the number of
// pages of the database; in all others it is 0 (https://www.sqlite.org/fileformat2.html#walformat).
ssize_t pwrite64(int file, const void *bytes, size_t size, off64_t offset) {
    static const char none[4];
    if (counts && size == 24 && memcmp((const char *)bytes + 4, none, 4) != 0 && is_log(file)) count(&counts->commits);
#ifdef __LP64__
    return syscall(SYS_pwrite64, file, bytes, size, offset);
#else
#error "a 64-bit machine is needed"
#endif
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) { return pwrite64(file, bytes, size, offset); }
