// Preloaded into the product: the bus has no room left for a raw format. The virtual host controller of this lane knows no
// bandwidth, so it is said here, as usbcore says it to uvcvideo and uvcvideo to whoever starts a stream. Everything before
// and after (buffers, and the next format's) is between the product and the real driver.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>

int ioctl(int descriptor, unsigned long request, ...)
{
    int (*real)(int, unsigned long, ...) = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    if ((unsigned)request == (unsigned)VIDIOC_STREAMON && real(descriptor, VIDIOC_G_FMT, &format) == 0 &&
        format.fmt.pix.pixelformat != V4L2_PIX_FMT_MJPEG) {
        errno = ENOSPC;
        return -1;
    }
    return real(descriptor, request, argument);
}
