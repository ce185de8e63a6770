#pragma once
#include <stddef.h>

// A function of a library that is loaded when it is first used, and where its address belongs.
struct srup_function {
    const char *name;
    void *pointer;
};

// Loads a library by its file name and finds the functions. NULL: all are there; otherwise what is wrong, for good.
const char *srup_load_library(const char *file, const struct srup_function *functions, size_t count);
