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
