#pragma once
// What Swift's Glibc module leaves out.
#include <sys/eventfd.h>

static inline int srup_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

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

#include <errno.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>

// Declared by glibc (2.34 and later) only with _GNU_SOURCE.
extern int close_range(unsigned int first, unsigned int last, int flags);

// Where both are there, the old ones have numbers of 16 bits.
#ifdef SYS_setuid32
#define SRUP_SYS_(name) SYS_##name##32
#else
#define SRUP_SYS_(name) SYS_##name
#endif

struct srup_child {
    const char *path;
    char *const *arguments;
    char *const *environment;
    // Descriptors: number `there[i]` in the child is `here[i]` in the parent; what is from `first_closed` on is closed.
    const int *there;
    const int *here;
    int descriptors;
    int first_closed;
    int has_own_group;
    // What it gets when the thread that started it ends; 0: nothing. prctl(2), PR_SET_PDEATHSIG
    int death_signal;
    // Whether it can become nobody else: prctl(2), PR_SET_NO_NEW_PRIVS.
    int is_confined;
    // Whether it becomes another user, of this group and no others.
    int has_user;
    uid_t user;
    gid_t group;
};

// posix_spawn(3) knows no death signal. Only system calls between vfork and exec: the memory is still the parent's.
// Returns the process, or a negative errno.
__attribute__((noinline, unused)) static pid_t srup_start_child(const struct srup_child *child) {
    const pid_t parent = getpid();
    volatile int error = 0;
    sigset_t all, none, before;
    sigfillset(&all);
    sigemptyset(&none);
    // No handler of ours may run in the child, on this memory.
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t process = vfork();
    if (process == 0) {
        for (int number = 1; number < 65; number++) {
            struct sigaction action;
            // SIGKILL, SIGSTOP and those of the C library cannot be asked for.
            if (sigaction(number, NULL, &action) != 0 || action.sa_handler == SIG_DFL) continue;
            action.sa_handler = SIG_DFL;
            action.sa_flags = 0;
            sigaction(number, &action, NULL);
        }
        if (child->death_signal != 0) {
            prctl(PR_SET_PDEATHSIG, child->death_signal);
            // The parent may have ended before.
            if (getppid() != parent) _exit(127);
        }
        if (child->has_own_group) setpgid(0, 0);
        for (int i = 0; i < child->descriptors; i++) {
            // A descriptor that stays where it is would be closed on exec, and dup2 does nothing about that.
            int code = child->here[i] == child->there[i] ? fcntl(child->here[i], F_SETFD, 0)
                                                         : dup2(child->here[i], child->there[i]);
            if (code < 0) {
                error = errno;
                _exit(127);
            }
        }
        if (close_range((unsigned)child->first_closed, ~0u, 0) != 0) {
            // A kernel before 5.9.
            for (int number = child->first_closed; number < 4096; number++) close(number);
        }
        // System calls themselves: the C library's functions would change all threads of the parent. These change this one.
        if (child->has_user
            && (syscall(SRUP_SYS_(setgroups), 0, NULL) != 0 || syscall(SRUP_SYS_(setgid), child->group) != 0
                || syscall(SRUP_SYS_(setuid), child->user) != 0)) {
            error = errno;
            _exit(127);
        }
        // A death signal does not outlive a change of user.
        if (child->has_user && child->death_signal != 0) prctl(PR_SET_PDEATHSIG, child->death_signal);
        if (child->is_confined && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
            error = errno;
            _exit(127);
        }
        sigprocmask(SIG_SETMASK, &none, NULL);
        execve(child->path, child->arguments, child->environment);
        error = errno;
        _exit(127);
    }
    int failure = process < 0 ? errno : error;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failure == 0) return process;
    if (process > 0) {
        int status;
        while (waitpid(process, &status, 0) < 0 && errno == EINTR) {}
    }
    return -failure;
}

#include <sys/socket.h>

// Who connected a Unix socket, by user; unix(7), SO_PEERCRED, whose structure the headers give to GNU programs only.
static inline uid_t srup_peer_user(int fd) {
    struct { pid_t process; uid_t user; gid_t group; } peer = {0, (uid_t)-1, 0};
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.user : (uid_t)-1;
}

#include <sys/socket.h>

// Numbers of <sys/socket.h>'s anonymous enumerations. Swift finds such a name through `import Glibc` alone or not, depending
// on what else the compiler's process has read; through functions of a module's own it always does.
static inline int srup_msg_nosignal(void) { return MSG_NOSIGNAL; }
static inline int srup_msg_dontwait(void) { return MSG_DONTWAIT; }
static inline int srup_msg_peek(void) { return MSG_PEEK; }
static inline int srup_shut_wr(void) { return SHUT_WR; }
static inline int srup_shut_rdwr(void) { return SHUT_RDWR; }

#include <linux/i2c-dev.h>
#include <sys/ioctl.h>

// Which device of an I2C bus is written to from now on; 0, or -1 with errno. https://docs.kernel.org/i2c/dev-interface.html
static inline int srup_i2c_choose(int bus, int address) { return ioctl(bus, I2C_SLAVE, (long)address); }

#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#if defined(__x86_64__)
#define SRUP_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define SRUP_AUDIT_ARCH AUDIT_ARCH_AARCH64
#endif

// From here on this process computes, reads and writes what it has open, and ends: it opens nothing, connects to nothing,
// starts nothing and looks into no other process; prctl(2), PR_SET_SECCOMP. What is not in the list fails with EPERM. Only the
// thread that calls it and those it starts: to be called before there are others. (seccomp(2), which could confine all, is
// not among the system calls that our units allow.)
static inline int srup_compute_only(void) {
#ifdef SRUP_AUDIT_ARCH
#define SRUP_ALLOW(name) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SRUP_AUDIT_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        SRUP_ALLOW(read), SRUP_ALLOW(write), SRUP_ALLOW(lseek), SRUP_ALLOW(fstat), SRUP_ALLOW(close),
        SRUP_ALLOW(mmap), SRUP_ALLOW(munmap), SRUP_ALLOW(mremap), SRUP_ALLOW(mprotect), SRUP_ALLOW(madvise),
        SRUP_ALLOW(brk), SRUP_ALLOW(futex), SRUP_ALLOW(getrandom), SRUP_ALLOW(clock_gettime),
        SRUP_ALLOW(gettimeofday), SRUP_ALLOW(nanosleep), SRUP_ALLOW(clock_nanosleep), SRUP_ALLOW(sched_yield),
        SRUP_ALLOW(getpid), SRUP_ALLOW(gettid), SRUP_ALLOW(rt_sigaction), SRUP_ALLOW(rt_sigprocmask),
        SRUP_ALLOW(rt_sigreturn), SRUP_ALLOW(sigaltstack), SRUP_ALLOW(restart_syscall), SRUP_ALLOW(exit),
        SRUP_ALLOW(exit_group),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA)),
    };
#undef SRUP_ALLOW
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
#else
    errno = ENOSYS;
    return -1;
#endif
}
