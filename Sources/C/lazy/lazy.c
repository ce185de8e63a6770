#include "CLazy.h"
#include <dlfcn.h>
#include <string.h>

// dlerror's text lasts until the next call.
static const char *problem(void) {
    const char *copy = strdup(dlerror());
    return copy ? copy : "there is no memory";
}

const char *srup_load_library(const char *file, const struct srup_function *functions, size_t count) {
    void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!library) return problem();
    for (size_t i = 0; i < count; i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function) return problem();
        memcpy(functions[i].pointer, &function, sizeof function);
    }
    return NULL;
}
