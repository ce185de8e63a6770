#pragma once
#include <errno.h>
#include <fcntl.h>
#include <libv4l2.h>
#include <linux/videodev2.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// libv4l2's calls are variadic and the kernel's numbers are macros: Swift sees neither.
// https://docs.kernel.org/userspace-api/media/v4l/v4l2.html

// Without libv4l2's conversion at first: with it, a camera whose formats it would all convert (NV12 alone) shows none of
// them. With `convert`, for cameras that have only a vendor's own formats.
static inline int srup_v4l2_open(const char *path, int convert) {
    int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || v4l2_fd_open(fd, convert ? 0 : V4L2_DISABLE_CONVERSION) == fd) return fd;
    int code = errno;
    close(fd);
    errno = code;
    return -1;
}

static inline int srup_v4l2_query(int fd, struct v4l2_capability *out) { return v4l2_ioctl(fd, VIDIOC_QUERYCAP, out); }

// The device's own capabilities (not of the whole card). 0 when it cannot capture single-planar video.
static inline int srup_v4l2_can_capture(const struct v4l2_capability *c) {
    __u32 caps = (c->capabilities & V4L2_CAP_DEVICE_CAPS) ? c->device_caps : c->capabilities;
    return (caps & V4L2_CAP_VIDEO_CAPTURE) && (caps & V4L2_CAP_STREAMING);
}

// The FourCC of the index-th format that the device has by itself, 0 when there is none; emulated ones (which libv4l2
// would convert for us, slowly) are reported with *emulated set.
static inline __u32 srup_v4l2_format(int fd, __u32 index, int *emulated) {
    struct v4l2_fmtdesc f;
    memset(&f, 0, sizeof f);
    f.index = index;
    f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    if (v4l2_ioctl(fd, VIDIOC_ENUM_FMT, &f) != 0) return 0;
    *emulated = (f.flags & V4L2_FMT_FLAG_EMULATED) != 0;
    return f.pixelformat;
}

// The index-th size of a format; -1 after the last one.
static inline int srup_v4l2_size(int fd, __u32 fourcc, __u32 index, struct v4l2_frmsizeenum *out) {
    memset(out, 0, sizeof *out);
    out->index = index;
    out->pixel_format = fourcc;
    return v4l2_ioctl(fd, VIDIOC_ENUM_FRAMESIZES, out);
}

typedef struct {
    __u32 fourcc, width, height, stride, size;
} srup_v4l2_picture;

static inline int srup_v4l2_set_format(int fd, __u32 fourcc, __u32 width, __u32 height, srup_v4l2_picture *out) {
    struct v4l2_format f;
    memset(&f, 0, sizeof f);
    f.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    f.fmt.pix.pixelformat = fourcc;
    f.fmt.pix.width = width;
    f.fmt.pix.height = height;
    f.fmt.pix.field = V4L2_FIELD_NONE;
    if (v4l2_ioctl(fd, VIDIOC_S_FMT, &f) != 0) return -1;
    out->fourcc = f.fmt.pix.pixelformat;
    out->width = f.fmt.pix.width;
    out->height = f.fmt.pix.height;
    out->stride = f.fmt.pix.bytesperline;
    out->size = f.fmt.pix.sizeimage;
    return 0;
}

static inline int srup_v4l2_set_rate(int fd, __u32 per_second) {
    struct v4l2_streamparm p;
    memset(&p, 0, sizeof p);
    p.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    p.parm.capture.timeperframe.numerator = 1;
    p.parm.capture.timeperframe.denominator = per_second;
    return v4l2_ioctl(fd, VIDIOC_S_PARM, &p);
}

static inline int srup_v4l2_request(int fd, __u32 count) {
    struct v4l2_requestbuffers r;
    memset(&r, 0, sizeof r);
    r.count = count;
    r.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    r.memory = V4L2_MEMORY_MMAP;
    if (v4l2_ioctl(fd, VIDIOC_REQBUFS, &r) != 0) return -1;
    return (int)r.count;
}

static inline void *srup_v4l2_map(int fd, __u32 index, __u32 *length) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.index = index;
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    if (v4l2_ioctl(fd, VIDIOC_QUERYBUF, &b) != 0) return NULL;
    *length = b.length;
    void *p = v4l2_mmap(NULL, b.length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, b.m.offset);
    return p == MAP_FAILED ? NULL : p;
}

static inline int srup_v4l2_queue(int fd, __u32 index) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.index = index;
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    return v4l2_ioctl(fd, VIDIOC_QBUF, &b);
}

// 0 and the buffer's number, content and error flag; -1 with errno (EAGAIN: none is ready).
static inline int srup_v4l2_dequeue(int fd, __u32 *index, __u32 *used, int *damaged) {
    struct v4l2_buffer b;
    memset(&b, 0, sizeof b);
    b.type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    b.memory = V4L2_MEMORY_MMAP;
    if (v4l2_ioctl(fd, VIDIOC_DQBUF, &b) != 0) return -1;
    *index = b.index;
    *used = b.bytesused;
    *damaged = (b.flags & V4L2_BUF_FLAG_ERROR) != 0;
    return 0;
}

static inline int srup_v4l2_stream(int fd, int on) {
    enum v4l2_buf_type type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    return v4l2_ioctl(fd, on ? VIDIOC_STREAMON : VIDIOC_STREAMOFF, &type);
}

// What the camera offers of a control; 0 when it has none or it cannot be changed.
static inline int srup_v4l2_control(int fd, __u32 id, __s32 *least, __s32 *most, __s32 *step) {
    struct v4l2_queryctrl q;
    memset(&q, 0, sizeof q);
    q.id = id;
    if (v4l2_ioctl(fd, VIDIOC_QUERYCTRL, &q) != 0) return 0;
    if (q.flags & (V4L2_CTRL_FLAG_DISABLED | V4L2_CTRL_FLAG_READ_ONLY)) return 0;
    *least = q.minimum;
    *most = q.maximum;
    *step = q.step;
    return 1;
}

static inline int srup_v4l2_get(int fd, __u32 id, __s32 *value) {
    struct v4l2_control c = {.id = id};
    if (v4l2_ioctl(fd, VIDIOC_G_CTRL, &c) != 0) return -1;
    *value = c.value;
    return 0;
}

static inline int srup_v4l2_set(int fd, __u32 id, __s32 value) {
    struct v4l2_control c = {.id = id, .value = value};
    return v4l2_ioctl(fd, VIDIOC_S_CTRL, &c);
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
