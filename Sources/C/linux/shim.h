#pragma once
// What Swift's Glibc module leaves out.
#include <spawn.h>
#include <sys/eventfd.h>

static inline int srup_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

// Declared by glibc (2.34 and later) only with _GNU_SOURCE, which a module's header cannot set for <spawn.h>.
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

static inline int srup_spawn_close_from(posix_spawn_file_actions_t *actions, int from) {
    return posix_spawn_file_actions_addclosefrom_np(actions, from);
}

static inline void srup_eventfd_write(int fd) { eventfd_write(fd, 1); }
// Whether anything had been written.
static inline int srup_eventfd_drain(int fd) {
    eventfd_t value;
    return eventfd_read(fd, &value) == 0;
}

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

// As above: in the headers only with _GNU_SOURCE or _XOPEN_SOURCE.
extern int ppoll(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
extern int posix_openpt(int);
extern int grantpt(int);
extern int unlockpt(int);
extern int ptsname_r(int, char *, size_t);

// Waits at most so many nanoseconds.
static inline int srup_poll(struct pollfd *pollers, nfds_t count, unsigned long long nanoseconds) {
    struct timespec wait = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    return ppoll(pollers, count, &wait, NULL);
}

// A pseudo terminal's master, close-on-exec and non-blocking; the other end's path in `name`. -1: errno.
static inline int srup_openpt(char *name, size_t size) {
    int fd = posix_openpt(O_RDWR | O_NOCTTY);
    if (fd < 0) return -1;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, O_NONBLOCK | O_RDWR);
    if (grantpt(fd) == 0 && unlockpt(fd) == 0 && ptsname_r(fd, name, size) == 0) return fd;
    close(fd);
    return -1;
}

#include <sys/timex.h>

// Whether a time server has set the clock: 1 yes, 0 no, -1 the kernel does not tell. adjtimex(2)
static inline int srup_clock_is_synchronised(void) {
    struct timex clock = {0};
    if (adjtimex(&clock) < 0) return -1;
    return (clock.status & STA_UNSYNC) == 0;
}

#include <alloca.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

// As above.
extern int pthread_getattr_np(pthread_t, pthread_attr_t *);
extern int madvise(void *, size_t, int);

// Forgets what calls that have returned left on the calling thread's stack: whole pages go back to the kernel (4 is
// MADV_DONTNEED: they read as zeros), the rest is overwritten. Not inlined, since its frame has to lie below the caller's.
__attribute__((noinline, unused)) static void srup_wipe_stack(void) {
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t whole = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) return;
    pthread_attr_getstack(&attributes, &lowest, &whole);
    pthread_attr_destroy(&attributes);
    // Some is kept for what is called from here.
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), kept = 8192;
    uintptr_t highest = ((uintptr_t)__builtin_frame_address(0) - kept) & ~(page - 1);
    if (highest <= (uintptr_t)lowest + page + kept) return;
    madvise(lowest, highest - (uintptr_t)lowest, 4);
    explicit_bzero(alloca(page + kept), page + kept);
}

#include <sys/socket.h>

// Who connected a Unix socket, by user; unix(7), SO_PEERCRED, whose structure the headers give to GNU programs only.
static inline uid_t srup_peer_user(int fd) {
    struct { pid_t process; uid_t user; gid_t group; } peer = {0, (uid_t)-1, 0};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.user : (uid_t)-1;
}
