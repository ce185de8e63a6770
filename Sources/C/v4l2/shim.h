#pragma once
#include <errno.h>
#include <fcntl.h>
#include <libv4l2.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

// ioctl is variadic and the kernel's numbers are macros: Swift sees neither.
// https://docs.kernel.org/userspace-api/media/v4l/v4l2.html

// An open device. libc's own calls, for libcamera's compatibility layer stands between them and the kernel and makes a
// camera of a camera module; libv4l2 makes its calls past it, by syscall(2). `converts`: opened through libv4l2, which
// turns a vendor's own formats into ones that are read here.
typedef struct {
    int fd;
    int converts;
} srup_v4l2_device;

static inline int srup_v4l2_ioctl(srup_v4l2_device d, unsigned long request, void *argument) {
    int result;
    do result = d.converts ? v4l2_ioctl(d.fd, request, argument) : ioctl(d.fd, request, argument);
    while (result == -1 && errno == EINTR);
    return result;
}

// 0, or -1 with errno.
static inline int srup_v4l2_open(const char *path, int converts, srup_v4l2_device *out) {
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return -1;
    *out = (srup_v4l2_device){fd, converts};
    if (!converts || v4l2_fd_open(fd, 0) == fd) return 0;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static inline void srup_v4l2_close(srup_v4l2_device d) {
    if (d.converts) v4l2_close(d.fd);
    else close(d.fd);
}

static inline int srup_v4l2_query(srup_v4l2_device d, struct v4l2_capability *out) {
    return srup_v4l2_ioctl(d, VIDIOC_QUERYCAP, out);
}

// The device's own capabilities (not of the whole card). 0 when it cannot capture single-planar video.
static inline int srup_v4l2_can_capture(const struct v4l2_capability *c) {
    __u32 caps = (c->capabilities & V4L2_CAP_DEVICE_CAPS) ? c->device_caps : c->capabilities;
    // What also takes pictures in (a codec, a scaler) is no camera.
    if (caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)) return 0;
    return (caps & V4L2_CAP_VIDEO_CAPTURE) && (caps & V4L2_CAP_STREAMING);
}

// The FourCC of the index-th format that the device has by itself, 0 when there is none; emulated ones (which libv4l2
// would convert for us, slowly) are reported with *emulated set.
static inline __u32 srup_v4l2_format(srup_v4l2_device d, __u32 index, int *emulated) {
    struct v4l2_fmtdesc f;
    memset(&f, 0, sizeof f);
    f.index = index;
    f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (srup_v4l2_ioctl(d, VIDIOC_ENUM_FMT, &f) != 0) return 0;
    *emulated = (f.flags & V4L2_FMT_FLAG_EMULATED) != 0;
    return f.pixelformat;
}

// The index-th size of a format; -1 after the last one.
static inline int srup_v4l2_size(srup_v4l2_device d, __u32 fourcc, __u32 index, struct v4l2_frmsizeenum *out) {
    memset(out, 0, sizeof *out);
    out->index = index;
    out->pixel_format = fourcc;
    return srup_v4l2_ioctl(d, VIDIOC_ENUM_FRAMESIZES, out);
}

// The index-th time from frame to frame of a format and size; -1 after the last one.
static inline int srup_v4l2_interval(srup_v4l2_device d, __u32 fourcc, __u32 width, __u32 height, __u32 index,
                                     struct v4l2_frmivalenum *out) {
    memset(out, 0, sizeof *out);
    out->index = index;
    out->pixel_format = fourcc;
    out->width = width;
    out->height = height;
    return srup_v4l2_ioctl(d, VIDIOC_ENUM_FRAMEINTERVALS, out);
}

typedef struct {
    __u32 fourcc, width, height, stride, size;
} srup_v4l2_picture;

static inline int srup_v4l2_set_format(srup_v4l2_device d, __u32 fourcc, __u32 width, __u32 height, srup_v4l2_picture *out) {
    struct v4l2_format f;
    memset(&f, 0, sizeof f);
    f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    f.fmt.pix.pixelformat = fourcc;
    f.fmt.pix.width = width;
    f.fmt.pix.height = height;
    f.fmt.pix.field = V4L2_FIELD_NONE;
    if (srup_v4l2_ioctl(d, VIDIOC_S_FMT, &f) != 0) return -1;
    out->fourcc = f.fmt.pix.pixelformat;
    out->width = f.fmt.pix.width;
    out->height = f.fmt.pix.height;
    out->stride = f.fmt.pix.bytesperline;
    out->size = f.fmt.pix.sizeimage;
    return 0;
}

static inline int srup_v4l2_set_rate(srup_v4l2_device d, __u32 per_second) {
    struct v4l2_streamparm p;
    memset(&p, 0, sizeof p);
    p.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    p.parm.capture.timeperframe.numerator = 1;
    p.parm.capture.timeperframe.denominator = per_second;
    return srup_v4l2_ioctl(d, VIDIOC_S_PARM, &p);
}

static inline int srup_v4l2_request(srup_v4l2_device d, __u32 count) {
    struct v4l2_requestbuffers r;
    memset(&r, 0, sizeof r);
    r.count = count;
    r.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    r.memory = V4L2_MEMORY_MMAP;
    if (srup_v4l2_ioctl(d, VIDIOC_REQBUFS, &r) != 0) return -1;
    return (int)r.count;
}

static inline void *srup_v4l2_map(srup_v4l2_device d, __u32 index, __u32 *length) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.index = index;
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    if (srup_v4l2_ioctl(d, VIDIOC_QUERYBUF, &b) != 0) return NULL;
    *length = b.length;
    void *p = d.converts ? v4l2_mmap(NULL, b.length, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, b.m.offset)
                         : mmap(NULL, b.length, PROT_READ | PROT_WRITE, MAP_SHARED, d.fd, b.m.offset);
    return p == MAP_FAILED ? NULL : p;
}

static inline void srup_v4l2_unmap(srup_v4l2_device d, void *start, size_t length) {
    if (d.converts) v4l2_munmap(start, length);
    else munmap(start, length);
}

static inline int srup_v4l2_queue(srup_v4l2_device d, __u32 index) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.index = index;
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    return srup_v4l2_ioctl(d, VIDIOC_QBUF, &b);
}

// 0 and the buffer's number, content and error flag; -1 with errno (EAGAIN: none is ready).
static inline int srup_v4l2_dequeue(srup_v4l2_device d, __u32 *index, __u32 *used, int *damaged) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    if (srup_v4l2_ioctl(d, VIDIOC_DQBUF, &b) != 0) return -1;
    *index = b.index;
    *used = b.bytesused;
    *damaged = (b.flags & V4L2_BUF_FLAG_ERROR) != 0;
    return 0;
}

static inline int srup_v4l2_stream(srup_v4l2_device d, int on) {
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    return srup_v4l2_ioctl(d, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

// The range of a control and the driver's default; 0 when it has none or it cannot be changed.
static inline int srup_v4l2_control(srup_v4l2_device d, __u32 id, __s32 *least, __s32 *most, __s32 *usual) {
    struct v4l2_queryctrl q;
    memset(&q, 0, sizeof q);
    q.id = id;
    if (srup_v4l2_ioctl(d, VIDIOC_QUERYCTRL, &q) != 0) return 0;
    if (q.flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY)) return 0;
    *least = q.minimum;
    *most = q.maximum;
    *usual = q.default_value;
    return 1;
}

// The next control after `id` (0: the first) that holds a number and can be changed; 0: there is none. Its name ends with a 0.
static inline __u32 srup_v4l2_next_control(srup_v4l2_device d, __u32 id, char name[33], __s32 *least, __s32 *most,
                                           __s32 *usual) {
    struct v4l2_queryctrl q;
    for (int tries = 0; tries < 256; tries++) {
        memset(&q, 0, sizeof q);
        q.id = id | V4L2_CTRL_FLAG_NEXT_CTRL;
        if (srup_v4l2_ioctl(d, VIDIOC_QUERYCTRL, &q) != 0 || q.id <= id) return 0;
        id = q.id;
        if (q.flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY)) continue;
        if (q.type != V4L2_CTRL_TYPE_INTEGER && q.type != V4L2_CTRL_TYPE_BOOLEAN && q.type != V4L2_CTRL_TYPE_MENU &&
            q.type != V4L2_CTRL_TYPE_INTEGER_MENU) continue;
        memcpy(name, q.name, 32);
        name[32] = 0;
        *least = q.minimum;
        *most = q.maximum;
        *usual = q.default_value;
        return id;
    }
    return 0;
}

static inline int srup_v4l2_get(srup_v4l2_device d, __u32 id, __s32 *value) {
    struct v4l2_control c = {.id = id};
    if (srup_v4l2_ioctl(d, VIDIOC_G_CTRL, &c) != 0) return -1;
    *value = c.value;
    return 0;
}

static inline int srup_v4l2_set(srup_v4l2_device d, __u32 id, __s32 value) {
    struct v4l2_control c = {.id = id, .value = value};
    return srup_v4l2_ioctl(d, VIDIOC_S_CTRL, &c);
}

enum {
    srup_exposure_auto = V4L2_CID_EXPOSURE_AUTO,
    srup_exposure_absolute = V4L2_CID_EXPOSURE_ABSOLUTE,
    srup_exposure_manual = V4L2_EXPOSURE_MANUAL,
    srup_autogain = V4L2_CID_AUTOGAIN,
    srup_gain = V4L2_CID_GAIN,
    srup_focus_auto = V4L2_CID_FOCUS_AUTO,
    srup_focus_absolute = V4L2_CID_FOCUS_ABSOLUTE,
};
