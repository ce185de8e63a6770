// Preloaded into the product: a driver then seems to offer the one pixel format that SRUP_ONLY_FORMAT names, if it does
// offer it. vivid has some eighty, of which the product always takes the cheapest; this is how it comes to take another.
// Everything after the choice (S_FMT, buffers, frames) is between the product and the real driver.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int ioctl(int descriptor, unsigned long request, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    const char *only = getenv("SRUP_ONLY_FORMAT");
    if ((unsigned)request != (unsigned)VIDIOC_ENUM_FMT || !only || strlen(only) != 4)
        return real(descriptor, request, argument);
    struct v4l2_fmtdesc *wanted = argument, found = *wanted;
    for (found.index = 0; wanted->index == 0 && real(descriptor, request, &found) == 0; found.index++)
        if (!memcmp(&found.pixelformat, only, 4)) {
            *wanted = found;
            wanted->index = 0;
            return 0;
        }
    errno = EINVAL;
    return -1;
}
