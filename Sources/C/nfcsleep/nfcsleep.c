#include "nfcsleep.h"

#include <errno.h>
#include <time.h>

static _Thread_local long bound;

void srup_bound_sleeps(long nanoseconds) { bound = nanoseconds; }

// Found before the C library's, since the program's own symbols come first. What is out of range stays so: libnfc also
// asks for negative times, which must fail at once.
int nanosleep(const struct timespec *request, struct timespec *left) {
    struct timespec wanted = *request;
    if (bound > 0 && (wanted.tv_sec > 0 || wanted.tv_nsec > bound)) {
        wanted.tv_sec = 0;
        wanted.tv_nsec = bound;
    }
    int code = clock_nanosleep(CLOCK_MONOTONIC, 0, &wanted, left);
    if (code == 0) return 0;
    errno = code;
    return -1;
}
