#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zbar.h>

// What zbar finds wrong in a code it prints to standard error, with the code's content, for every line that it scans: who holds
// such a code to a camera could fill the log. Nothing else may be lost, hence a stream in front of the old one.

static inline ssize_t srup_without_zbar_warnings(void *next, const char *text, size_t size) {
    static const char warning[] = "WARNING: decoder/";
    if (size >= sizeof warning - 1 && memcmp(text, warning, sizeof warning - 1) == 0) return (ssize_t)size;
    fwrite(text, 1, size, (FILE *)next);
    fflush((FILE *)next);
    return (ssize_t)size;
}

/// Takes zbar's warnings off standard error, for all of the program. Once, before the first scan.
static inline void srup_silence_zbar(void) {
    cookie_io_functions_t functions = {NULL, srup_without_zbar_warnings, NULL, NULL};
    FILE *stream = fopencookie(stderr, "w", functions);
    if (!stream) return;
    setvbuf(stream, NULL, _IONBF, 0);
    stderr = stream;
}
