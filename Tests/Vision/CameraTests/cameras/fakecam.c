// A camera in a file: preloaded into a program, $FAKECAM_DIR/videoN.conf answers as /dev/videoN. Only libc's open, ioctl, mmap
// and close are hooked, as libcamera's v4l2-compat.so does. An instrument for what no camera here can show; what real
// drivers show is in Tests/Lanes/Kernel.
//
//   driver=NAME  card=NAME  caps=0x…
//   format=FOURCC WIDTHxHEIGHT@RATE …
//   frame=FILE        what it sends, one after the other
//   limit=N           bytes a second that the bus has left: a raw format that needs more gets ENOSPC at STREAMON
//   quiet=1           it streams and sends nothing
//
// $FAKECAM_DIR/class stands for /sys/class/video4linux. $FAKECAM_DIR/controls holds exposure mode, exposure and gain
// ("3 250 64") from run to run, as a camera that stays plugged in does; $FAKECAM_DIR/set.log gets a line for each format
// and control that is set.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { most_formats = 16, most_sizes = 16, most_frames = 16, most_buffers = 8, buffer_gap = 0x10000000 };

struct format {
    uint32_t fourcc, width[most_sizes], height[most_sizes];
    double rate[most_sizes];
    unsigned sizes;
};

struct camera {
    int fd; // a timer, so that poll(2) tells when a frame is due
    char driver[16], card[32], frames[most_frames][256];
    uint32_t caps;
    struct format formats[most_formats];
    unsigned format_count, frame_count, buffer_count, queued, sequence;
    double limit, rate;
    bool quiet, streaming;
    uint32_t fourcc, width, height;
    uint8_t *buffers[most_buffers];
    uint32_t queue[most_buffers];
};

static struct camera cameras[16] = {[0 ... 15] = {.fd = -1}};

static struct camera *camera_of(int fd)
{
    for (size_t i = 0; fd >= 0 && i < sizeof cameras / sizeof *cameras; i++)
        if (cameras[i].fd == fd)
            return &cameras[i];
    return NULL;
}

static void place(char out[300], const char *name) { snprintf(out, 300, "%s/%s", getenv("FAKECAM_DIR") ?: "", name); }

static void note(const char *form, ...)
{
    char path[300];
    place(path, "set.log");
    FILE *log = fopen(path, "ae");
    if (!log)
        return;
    va_list arguments;
    va_start(arguments, form);
    vfprintf(log, form, arguments);
    va_end(arguments);
    fputc('\n', log);
    fclose(log);
}

// MARK: the description

static void read_format(struct camera *camera, char *words)
{
    struct format *format = &camera->formats[camera->format_count++];
    char *word = strtok(words, " "), name[4] = {' ', ' ', ' ', ' '};
    memcpy(name, word, strlen(word) < 4 ? strlen(word) : 4);
    format->fourcc = v4l2_fourcc(name[0], name[1], name[2], name[3]);
    while ((word = strtok(NULL, " ")) && format->sizes < most_sizes) {
        unsigned i = format->sizes++;
        format->rate[i] = 30;
        sscanf(word, "%ux%u@%lf", &format->width[i], &format->height[i], &format->rate[i]);
    }
}

static void read_description(struct camera *camera, FILE *file)
{
    char key[32], value[256], line[300];
    while (fgets(line, sizeof line, file)) {
        if (sscanf(line, "%31[a-z]=%255[^\n]", key, value) != 2)
            continue;
        if (!strcmp(key, "driver"))
            snprintf(camera->driver, sizeof camera->driver, "%.15s", value);
        else if (!strcmp(key, "card"))
            snprintf(camera->card, sizeof camera->card, "%.31s", value);
        else if (!strcmp(key, "caps"))
            camera->caps = (uint32_t)strtoul(value, NULL, 0);
        else if (!strcmp(key, "limit"))
            camera->limit = strtod(value, NULL);
        else if (!strcmp(key, "quiet"))
            camera->quiet = true;
        else if (!strcmp(key, "frame") && camera->frame_count < most_frames)
            strcpy(camera->frames[camera->frame_count++], value);
        else if (!strcmp(key, "format") && camera->format_count < most_formats)
            read_format(camera, value);
    }
}

static int open_camera(const char *description)
{
    FILE *file = fopen(description, "re");
    struct camera *camera = NULL;
    for (size_t i = 0; !camera && i < sizeof cameras / sizeof *cameras; i++)
        if (cameras[i].fd < 0)
            camera = &cameras[i];
    if (!file || !camera)
        return -1;
    *camera = (struct camera){.driver = "uvcvideo", .card = "Camera in a file", .limit = 1e12,
                              .caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING};
    read_description(camera, file);
    fclose(file);
    return camera->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
}

// MARK: formats

static bool is_jpeg(uint32_t fourcc) { return fourcc == V4L2_PIX_FMT_MJPEG || fourcc == V4L2_PIX_FMT_JPEG; }

static uint32_t line_length(uint32_t fourcc, uint32_t width)
{
    if (is_jpeg(fourcc) || fourcc == V4L2_PIX_FMT_H264)
        return 0;
    return fourcc == V4L2_PIX_FMT_YUYV || fourcc == V4L2_PIX_FMT_Z16 ? width * 2 : width;
}

static uint32_t frame_length(uint32_t fourcc, uint32_t width, uint32_t height)
{
    uint32_t line = line_length(fourcc, width);
    if (!line)
        return width * height * 2;
    return fourcc == V4L2_PIX_FMT_NV12 || fourcc == V4L2_PIX_FMT_YUV420 ? line * height * 3 / 2 : line * height;
}

static const struct format *offered(const struct camera *camera, uint32_t fourcc)
{
    for (unsigned i = 0; i < camera->format_count; i++)
        if (camera->formats[i].fourcc == fourcc)
            return &camera->formats[i];
    return NULL;
}

/// As uvcvideo chooses: the size whose area differs least from what was asked for.
static void choose(struct camera *camera, struct v4l2_pix_format *picture)
{
    const struct format *format = offered(camera, picture->pixelformat) ?: &camera->formats[0];
    unsigned best = 0;
    double least = 1e18;
    for (unsigned i = 0; i < format->sizes; i++) {
        double width = format->width[i] < picture->width ? format->width[i] : picture->width;
        double height = format->height[i] < picture->height ? format->height[i] : picture->height;
        double distance = (double)format->width[i] * format->height[i] + (double)picture->width * picture->height -
                          2 * width * height;
        if (distance < least)
            least = distance, best = i;
    }
    camera->fourcc = picture->pixelformat = format->fourcc;
    camera->width = picture->width = format->width[best];
    camera->height = picture->height = format->height[best];
    camera->rate = format->rate[best];
    picture->bytesperline = line_length(format->fourcc, picture->width);
    picture->sizeimage = frame_length(format->fourcc, picture->width, picture->height);
    picture->field = V4L2_FIELD_NONE;
    note("format %.4s %ux%u", (char *)&format->fourcc, picture->width, picture->height);
}

// MARK: controls

static const uint32_t control_names[3] = {V4L2_CID_EXPOSURE_AUTO, V4L2_CID_EXPOSURE_ABSOLUTE, V4L2_CID_GAIN};
static const int control_most[3] = {3, 2047, 255}, control_usual[3] = {3, 250, 64};

static int control(uint32_t name, int *value, bool set)
{
    char path[300];
    int values[3], index = -1;
    for (int i = 0; i < 3; i++)
        if (control_names[i] == name)
            index = i;
    place(path, "controls");
    FILE *file = fopen(path, "re");
    if (!file || index < 0 || fscanf(file, "%d %d %d", &values[0], &values[1], &values[2]) != 3) {
        if (file)
            fclose(file);
        errno = EINVAL;
        return -1;
    }
    fclose(file);
    if (set) {
        values[index] = *value;
        if (!(file = fopen(path, "we")))
            return -1;
        fprintf(file, "%d %d %d\n", values[0], values[1], values[2]);
        fclose(file);
        note("control %d = %d", index, *value);
    }
    *value = values[index];
    return 0;
}

static int query_control(struct v4l2_queryctrl *query)
{
    int value;
    if (control(query->id, &value, false) != 0)
        return -1;
    for (int i = 0; i < 3; i++)
        if (control_names[i] == query->id)
            *query = (struct v4l2_queryctrl){.id = query->id, .type = i ? V4L2_CTRL_TYPE_INTEGER : V4L2_CTRL_TYPE_MENU,
                                             .maximum = control_most[i], .step = 1, .default_value = control_usual[i]};
    return 0;
}

// MARK: streaming

static int start(struct camera *camera)
{
    double needs = (double)frame_length(camera->fourcc, camera->width, camera->height) * camera->rate;
    if (!is_jpeg(camera->fourcc) && needs > camera->limit) {
        errno = ENOSPC;
        return -1;
    }
    long gap = (long)(1e9 / camera->rate);
    struct itimerspec time = {{gap / 1000000000, gap % 1000000000}, {gap / 1000000000, gap % 1000000000}};
    if (!camera->quiet)
        timerfd_settime(camera->fd, 0, &time, NULL);
    camera->streaming = true;
    note("streaming");
    return 0;
}

static int take(struct camera *camera, struct v4l2_buffer *buffer)
{
    uint64_t due;
    if (!camera->streaming || read(camera->fd, &due, sizeof due) != sizeof due || !camera->queued) {
        errno = EAGAIN;
        return -1;
    }
    uint32_t index = camera->queue[0];
    memmove(camera->queue, camera->queue + 1, sizeof *camera->queue * --camera->queued);
    *buffer = (struct v4l2_buffer){.index = index, .type = buffer->type, .memory = buffer->memory,
                                   .sequence = camera->sequence++};
    if (!camera->frame_count)
        return 0;
    FILE *file = fopen(camera->frames[camera->sequence % camera->frame_count], "re");
    if (!file)
        return 0;
    buffer->bytesused = (uint32_t)fread(camera->buffers[index], 1,
                                        frame_length(camera->fourcc, camera->width, camera->height), file);
    fclose(file);
    return 0;
}

static int answer(struct camera *camera, unsigned long request, void *argument)
{
    const struct format *format;
    int invalid = -1;
    errno = EINVAL;
    switch ((uint32_t)request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *out = argument;
        *out = (struct v4l2_capability){.capabilities = camera->caps | V4L2_CAP_DEVICE_CAPS, .device_caps = camera->caps};
        memcpy(out->driver, camera->driver, sizeof camera->driver);
        memcpy(out->card, camera->card, sizeof camera->card);
        return 0;
    }
    case VIDIOC_ENUM_FMT: {
        struct v4l2_fmtdesc *out = argument;
        if (out->type != V4L2_BUF_TYPE_VIDEO_CAPTURE || out->index >= camera->format_count)
            return invalid;
        out->pixelformat = camera->formats[out->index].fourcc;
        out->flags = 0;
        return 0;
    }
    case VIDIOC_ENUM_FRAMESIZES: {
        struct v4l2_frmsizeenum *out = argument;
        if (!(format = offered(camera, out->pixel_format)) || out->index >= format->sizes)
            return invalid;
        out->type = V4L2_FRMSIZE_TYPE_DISCRETE;
        out->discrete.width = format->width[out->index];
        out->discrete.height = format->height[out->index];
        return 0;
    }
    case VIDIOC_ENUM_FRAMEINTERVALS: {
        struct v4l2_frmivalenum *out = argument;
        if (!(format = offered(camera, out->pixel_format)) || out->index)
            return invalid;
        for (unsigned i = 0; i < format->sizes; i++)
            if (format->width[i] == out->width && format->height[i] == out->height) {
                out->type = V4L2_FRMIVAL_TYPE_DISCRETE;
                out->discrete = (struct v4l2_fract){1000, (uint32_t)(format->rate[i] * 1000)};
                return 0;
            }
        return invalid;
    }
    case VIDIOC_S_FMT:
        choose(camera, &((struct v4l2_format *)argument)->fmt.pix);
        return 0;
    case VIDIOC_S_PARM:
        return 0;
    case VIDIOC_REQBUFS: {
        struct v4l2_requestbuffers *out = argument;
        camera->buffer_count = out->count = out->count < most_buffers ? out->count : most_buffers;
        camera->queued = 0;
        return 0;
    }
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *out = argument;
        if (out->index >= camera->buffer_count)
            return invalid;
        out->length = frame_length(camera->fourcc, camera->width, camera->height);
        out->m.offset = out->index * buffer_gap;
        return 0;
    }
    case VIDIOC_QBUF:
        if (camera->queued >= most_buffers)
            return invalid;
        camera->queue[camera->queued++] = ((struct v4l2_buffer *)argument)->index;
        return 0;
    case VIDIOC_DQBUF: return take(camera, argument);
    case VIDIOC_STREAMON: return start(camera);
    case VIDIOC_STREAMOFF:
        camera->streaming = false;
        camera->queued = 0;
        return 0;
    case VIDIOC_QUERYCTRL: return query_control(argument);
    case VIDIOC_G_CTRL: return control(((struct v4l2_control *)argument)->id, &((struct v4l2_control *)argument)->value, false);
    case VIDIOC_S_CTRL: return control(((struct v4l2_control *)argument)->id, &((struct v4l2_control *)argument)->value, true);
    default: errno = ENOTTY; return -1;
    }
}

// MARK: what is hooked

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    char name[64], description[300];
    if (sscanf(path, "/dev/%40s", name) == 1 && !strncmp(name, "video", 5)) {
        place(description, strcat(name, ".conf"));
        if (!access(description, R_OK))
            return open_camera(description);
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...) __attribute__((alias("open")));

int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    struct camera *camera = camera_of(fd);
    return camera ? answer(camera, request, argument) : (int)syscall(SYS_ioctl, fd, request, argument);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    struct camera *camera = camera_of(fd);
    if (!camera)
        return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
    void *memory = (void *)syscall(SYS_mmap, NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return camera->buffers[offset / buffer_gap % most_buffers] = memory;
}

void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset) __attribute__((alias("mmap")));

int close(int fd)
{
    struct camera *camera = camera_of(fd);
    if (camera)
        camera->fd = -1;
    return (int)syscall(SYS_close, fd);
}

/// Where a path below /sys/class/video4linux leads to.
static const char *class_path(const char *path, char out[300])
{
    static const char class[] = "/sys/class/video4linux";
    if (strncmp(path, class, sizeof class - 1))
        return path;
    place(out, "class");
    strncat(out, path + sizeof class - 1, 299 - strlen(out));
    return out;
}

DIR *opendir(const char *path)
{
    char out[300];
    DIR *(*real)(const char *) = (DIR * (*)(const char *)) dlsym(RTLD_NEXT, "opendir");
    return real(class_path(path, out));
}

FILE *fopen(const char *path, const char *mode)
{
    char out[300];
    FILE *(*real)(const char *, const char *) = (FILE * (*)(const char *, const char *)) dlsym(RTLD_NEXT, "fopen");
    return real(class_path(path, out), mode);
}
