#pragma once
#include <linux/fb.h>
#include <sys/ioctl.h>

// https://docs.kernel.org/fb/api.html
typedef struct {
    unsigned width, height, bits, stride;
    // Where red, green and blue are in a pixel, from its lowest bit, and how many bits each has.
    unsigned offsets[3], lengths[3];
} srup_fb_geometry;

static inline int srup_fb_query(int fd, srup_fb_geometry *out) {
    struct fb_var_screeninfo v;
    struct fb_fix_screeninfo f;
    if (ioctl(fd, FBIOGET_VSCREENINFO, &v) != 0 || ioctl(fd, FBIOGET_FSCREENINFO, &f) != 0) return -1;
    out->width = v.xres;
    out->height = v.yres;
    out->bits = v.bits_per_pixel;
    out->stride = f.line_length;
    const struct fb_bitfield *colours[] = {&v.red, &v.green, &v.blue};
    for (int i = 0; i < 3; i++) {
        out->offsets[i] = colours[i]->offset;
        out->lengths[i] = colours[i]->length;
    }
    return 0;
}
