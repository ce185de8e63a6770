// A USB camera made of bytes: it speaks USB/IP (kernel document Documentation/usb/usbip_protocol.rst)
// over a socket pair whose other end is handed to vhci_hcd, so that the kernel's own uvcvideo driver
// finds a UVC 1.0 camera on its bus and streams from it through a bulk endpoint.
//
//   usbcam --pgm FILE [--jpeg FILE] [--formats YUYV,MJPG,...] [--fps N] [--truncate N]
//          [--control FIFO] [--unplugged]
//
// The sizes on offer are the picture's own and, for raw formats, half of it. Lines written to the FIFO:
//   unplug, plug          pull the cable, put it in again
//   stall, resume         stop sending frames though the stream runs; go on
//   hang                  stall until the host starts the stream anew
//   glitch                fail the transfers in flight with a protocol error
//   truncate N            cut the next N frames short
//   picture PGM [JPEG]    show another picture (of the same size)
//   status                say how many frames went out
//   quit
// Each is answered by a line on standard output once it is done; so is every start of the stream
// ("streaming YUYV 640x480"). One thread, one poll loop.
#define _GNU_SOURCE
#include "usb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

// MARK: USB/IP

enum { cmd_submit = 1, cmd_unlink = 2, ret_submit = 3, ret_unlink = 4, direction_in = 1 };
enum { vhci_port = 0, device_id = 0x10002, speed_high = 3 };
#define VHCI "/sys/devices/platform/vhci_hcd.0"

/// All fields big-endian but the setup packet, which is as on the wire (little-endian).
struct header {
    uint32_t command, sequence, device, direction, endpoint;
    union {
        struct {
            uint32_t flags, length, start_frame, packets, interval;
            uint8_t setup[8];
        } submit;
        struct {
            uint32_t status, length, start_frame, packets, errors;
            uint8_t padding[8];
        } submitted;
        struct {
            uint32_t sequence;
            uint8_t padding[24];
        } unlink;
        struct {
            uint32_t status;
            uint8_t padding[24];
        } unlinked;
    };
};
_Static_assert(sizeof(struct header) == 48, "a USB/IP header has 48 bytes");

/// A bulk transfer that waits for picture data.
struct transfer {
    uint32_t sequence, length;
};

struct camera {
    struct camera_model model;
    struct image whole, half;
    uint8_t *jpeg;
    size_t jpeg_length;

    int line; // our end of the cable, -1 when unplugged
    struct probe probe, committed;
    struct transfer waiting[64];
    unsigned waiting_count;

    uint8_t *frame; // the frame on its way
    size_t frame_room, frame_length, frame_sent;
    bool frame_active, frame_identifier;
    bool stalled, hung;
    unsigned truncate_at_start, truncate_left;
    unsigned long frames, truncated;
    int64_t next_frame; // nanoseconds of the monotonic clock
};

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/// False when the cable is gone.
static bool receive(struct camera *camera, void *bytes, size_t length)
{
    return recv(camera->line, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void transmit(struct camera *camera, const void *bytes, size_t length)
{
    // A failure is noticed by the next receive, which has to handle a lost cable anyway.
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(camera->line, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

static void answer(struct camera *camera, uint32_t sequence, int status, const void *bytes, uint32_t length,
                   bool to_host)
{
    static uint8_t message[sizeof(struct header) + payload_size];
    struct header header = {.command = htonl(ret_submit), .sequence = htonl(sequence)};
    header.submitted.status = htonl((uint32_t)status);
    header.submitted.length = htonl(length);
    memcpy(message, &header, sizeof header);
    if (to_host && length)
        memcpy(message + sizeof header, bytes, length);
    transmit(camera, message, sizeof header + (to_host ? length : 0));
}

// MARK: frames

static const char *format_name(const struct camera *camera)
{
    const struct raw_format *format = camera->model.offers[camera->committed.format_index - 1].format;
    return format ? format->fourcc : "MJPG";
}

/// Cuts differ, for real cameras' do: nearly nothing, an eighth, half, three quarters.
static size_t cut(size_t length, unsigned nth)
{
    const size_t cuts[] = {2, length / 8, length / 2, length * 3 / 4};
    return cuts[nth % 4];
}

static void begin_frame(struct camera *camera)
{
    const struct raw_format *format = camera->model.offers[camera->committed.format_index - 1].format;
    size_t length = format ? model_frame_bytes(&camera->model, camera->committed.format_index,
                                               camera->committed.frame_index)
                           : camera->jpeg_length;
    if (length > camera->frame_room) {
        free(camera->frame);
        if (!(camera->frame = malloc(length)))
            die("out of memory");
        camera->frame_room = length;
    }
    if (format)
        format->pack(camera->committed.frame_index == 1 ? &camera->whole : &camera->half, camera->frame);
    else
        memcpy(camera->frame, camera->jpeg, length);

    if (camera->truncate_left) {
        length = cut(length, camera->truncate_left--);
        camera->truncated++;
        if (!camera->truncate_left)
            say("truncated %lu", camera->truncated);
    }
    camera->frame_length = length;
    camera->frame_sent = 0;
    camera->frame_identifier = !camera->frame_identifier;
    camera->frame_active = true;
}

/// Fills waiting transfers from the frame on its way: one payload each, header first (UVC 1.0, 2.4.3.3).
static void pump(struct camera *camera)
{
    static uint8_t payload[payload_size];
    unsigned done = 0;
    while (camera->frame_active && done < camera->waiting_count) {
        struct transfer transfer = camera->waiting[done++];
        size_t room = (transfer.length < payload_size ? transfer.length : payload_size) - payload_header;
        size_t left = camera->frame_length - camera->frame_sent;
        size_t count = left < room ? left : room;
        bool last = count == left;
        payload[0] = payload_header;
        payload[1] = (uint8_t)(0x80 | (last ? 0x02 : 0) | camera->frame_identifier); // end of header, of frame
        memcpy(payload + payload_header, camera->frame + camera->frame_sent, count);
        answer(camera, transfer.sequence, 0, payload, (uint32_t)(payload_header + count), true);
        camera->frame_sent += count;
        if (last) {
            camera->frame_active = false;
            camera->frames++;
        }
    }
    camera->waiting_count -= done;
    memmove(camera->waiting, camera->waiting + done, camera->waiting_count * sizeof *camera->waiting);
}

static void start_stream(struct camera *camera)
{
    unsigned width = 0, height = 0;
    model_frame(&camera->model, camera->committed.format_index, camera->committed.frame_index, &width, &height);
    camera->frame_active = false;
    camera->hung = false;
    camera->truncate_left = camera->truncate_at_start;
    camera->next_frame = now();
    say("streaming %s %ux%u", format_name(camera), width, height);
}

// MARK: requests

/// One control transfer. Returns the number of bytes that go to the host, or -EPIPE: "no such request".
static int control(struct camera *camera, const uint8_t setup[8], const uint8_t *data, size_t length, uint8_t *out,
                   size_t room)
{
    enum { standard = 0x00, class_in = 0xa1, class_out = 0x21 };
    const uint8_t type = setup[0], request = setup[1];
    const unsigned value = setup[2] | setup[3] << 8, index = setup[4] | setup[5] << 8;

    if ((type & 0x60) == standard) {
        switch (request) {
        case 0: // GET_STATUS
            memset(out, 0, 2);
            return 2;
        case 6: { // GET_DESCRIPTOR
            size_t size = descriptor(&camera->model, value >> 8, value & 0xff, out, room);
            return size ? (int)size : -EPIPE;
        }
        case 8: // GET_CONFIGURATION
            out[0] = 1;
            return 1;
        case 1:  // CLEAR_FEATURE (a halted endpoint)
        case 3:  // SET_FEATURE
        case 9:  // SET_CONFIGURATION
        case 11: // SET_INTERFACE
            return 0;
        default:
            return -EPIPE;
        }
    }

    enum { streaming_interface = 1, probe_control = 1, commit_control = 2, set_current = 0x01 };
    const unsigned selector = value >> 8;
    if (index != streaming_interface || (selector != probe_control && selector != commit_control))
        return -EPIPE;
    if (type == class_out && request == set_current) {
        camera->probe = probe_decode(&camera->model, data, length);
        if (selector == commit_control) {
            camera->committed = camera->probe;
            start_stream(camera);
        }
        return 0;
    }
    if (type == class_in) {
        switch (request) {
        case 0x81: // GET_CUR
        case 0x82: // GET_MIN
        case 0x83: // GET_MAX
        case 0x87: // GET_DEF
            probe_encode(&camera->model, camera->probe, out);
            return probe_size;
        case 0x85: // GET_LEN
            out[0] = probe_size;
            out[1] = 0;
            return 2;
        case 0x86: // GET_INFO: can be read and set
            out[0] = 3;
            return 1;
        }
    }
    return -EPIPE;
}

static bool handle_submit(struct camera *camera, const struct header *header)
{
    uint32_t sequence = ntohl(header->sequence), length = ntohl(header->submit.length);
    bool in = ntohl(header->direction) == direction_in;

    if (ntohl(header->endpoint) == bulk_endpoint) {
        if (!in || length <= payload_header || camera->waiting_count == sizeof camera->waiting / sizeof *camera->waiting)
            die("unexpected bulk transfer (%u bytes, %u waiting)", length, camera->waiting_count);
        camera->waiting[camera->waiting_count++] = (struct transfer){sequence, length};
        pump(camera);
        return true;
    }

    uint8_t data[4096], out[4096];
    if (length > sizeof data)
        die("a control transfer of %u bytes", length);
    if (!in && length && !receive(camera, data, length))
        return false;
    int result = control(camera, header->submit.setup, data, in ? 0 : length, out, sizeof out);
    if (result < 0)
        answer(camera, sequence, result, NULL, 0, in);
    else if (in)
        answer(camera, sequence, 0, out, (uint32_t)result < length ? (uint32_t)result : length, true);
    else
        answer(camera, sequence, 0, NULL, length, false);
    return true;
}

static void handle_unlink(struct camera *camera, const struct header *header)
{
    uint32_t victim = ntohl(header->unlink.sequence);
    int status = 0; // 0 tells the host that the transfer had been answered before
    for (unsigned i = 0; i < camera->waiting_count; i++)
        if (camera->waiting[i].sequence == victim) {
            camera->waiting_count--;
            memmove(camera->waiting + i, camera->waiting + i + 1,
                    (camera->waiting_count - i) * sizeof *camera->waiting);
            status = -ECONNRESET;
            break;
        }
    struct header reply = {.command = htonl(ret_unlink), .sequence = header->sequence};
    reply.unlinked.status = htonl((uint32_t)status);
    transmit(camera, &reply, sizeof reply);
}

static bool handle_request(struct camera *camera)
{
    struct header header;
    if (!receive(camera, &header, sizeof header))
        return false;
    switch (ntohl(header.command)) {
    case cmd_submit:
        return handle_submit(camera, &header);
    case cmd_unlink:
        handle_unlink(camera, &header);
        return true;
    default:
        die("unknown USB/IP command %#x", ntohl(header.command));
    }
}

// MARK: the cable

static void plug(struct camera *camera)
{
    if (camera->line >= 0)
        return say("plugged");
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair: %s", strerror(errno));
    // The port is busy for a moment after an unplug.
    const int64_t deadline = now() + INT64_C(5000000000);
    for (;;) {
        int attach = open(VHCI "/attach", O_WRONLY | O_CLOEXEC);
        if (attach < 0)
            die(VHCI "/attach: %s", strerror(errno));
        int written = dprintf(attach, "%d %d %d %d", vhci_port, pair[1], device_id, speed_high);
        int error = errno;
        close(attach);
        if (written > 0)
            break;
        if (error != EBUSY || now() > deadline)
            die(VHCI "/attach: %s", strerror(error));
        usleep(10000);
    }
    close(pair[1]);
    camera->line = pair[0];
    camera->probe = camera->committed = (struct probe){1, 1};
    camera->waiting_count = 0;
    camera->frame_active = camera->stalled = camera->hung = false;
    say("plugged");
}

static void unplug(struct camera *camera)
{
    if (camera->line >= 0)
        close(camera->line);
    camera->line = -1;
    camera->waiting_count = 0;
    camera->frame_active = false;
    say("unplugged");
}

static void glitch(struct camera *camera)
{
    unsigned count = camera->waiting_count;
    camera->waiting_count = 0;
    camera->frame_active = false;
    for (unsigned i = 0; i < count; i++)
        answer(camera, camera->waiting[i].sequence, -EPROTO, NULL, 0, true);
    say("glitched %u", count);
}

// MARK: pictures and commands

static void show(struct camera *camera, const char *pgm, const char *jpeg)
{
    struct image image = image_read_pgm(pgm);
    if (camera->whole.luma && (image.width != camera->whole.width || image.height != camera->whole.height))
        die("%s: pictures of one camera have one size", pgm);
    free(camera->whole.luma);
    free(camera->half.luma);
    camera->whole = image;
    camera->half = image_halved(&image);
    if (!jpeg)
        return;
    free(camera->jpeg);
    camera->jpeg = file_read(jpeg, &camera->jpeg_length);
    if (camera->jpeg_length < 4 || camera->jpeg_length > (size_t)image.width * image.height * 2)
        die("%s: %zu bytes do not make a frame", jpeg, camera->jpeg_length);
}

static void obey(struct camera *camera, char *line)
{
    char first[256] = "", second[256] = "";
    unsigned count;
    if (!strcmp(line, "plug"))
        plug(camera);
    else if (!strcmp(line, "unplug"))
        unplug(camera);
    else if (!strcmp(line, "stall"))
        camera->stalled = true, say("stalled");
    else if (!strcmp(line, "resume"))
        camera->stalled = false, say("resumed");
    else if (!strcmp(line, "hang"))
        camera->hung = true, say("hung");
    else if (!strcmp(line, "glitch"))
        glitch(camera);
    else if (sscanf(line, "truncate %u", &count) == 1)
        camera->truncate_left = count, say("truncating %u", count);
    else if (sscanf(line, "picture %255s %255s", first, second) >= 1)
        show(camera, first, *second ? second : NULL), say("picture %s", first);
    else if (!strcmp(line, "status"))
        say("frames %lu", camera->frames);
    else if (!strcmp(line, "quit"))
        unplug(camera), exit(0);
    else
        die("unknown command \"%s\"", line);
}

static void read_commands(struct camera *camera, int fifo)
{
    static char buffer[1024];
    static size_t used;
    ssize_t count = read(fifo, buffer + used, sizeof buffer - 1 - used);
    if (count <= 0)
        return;
    used += (size_t)count;
    buffer[used] = 0;
    char *line = buffer, *end;
    while ((end = strchr(line, '\n'))) {
        *end = 0;
        if (*line)
            obey(camera, line);
        line = end + 1;
    }
    used = strlen(line);
    if (used == sizeof buffer - 1)
        die("a command longer than %zu bytes", sizeof buffer);
    memmove(buffer, line, used);
}

// MARK: the loop

static void tick(struct camera *camera)
{
    const int64_t interval = INT64_C(1000000000) / camera->model.fps;
    camera->next_frame += interval;
    if (camera->next_frame < now()) // late: drop the frames that were missed, as a sensor does
        camera->next_frame = now() + interval;
    if (camera->frame_active || camera->stalled || camera->hung || !camera->waiting_count)
        return;
    begin_frame(camera);
    pump(camera);
}

static void run(struct camera *camera, int fifo)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = camera->line, .events = POLLIN}, {.fd = fifo, .events = POLLIN}};
        int64_t left = camera->next_frame - now();
        int wait = left <= 0 ? 0 : (int)(left / 1000000) + 1;
        if (!camera->waiting_count)
            wait = -1; // nothing to send to: sleep until the host asks
        if (poll(ready, 2, wait) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (ready[1].revents & POLLIN)
            read_commands(camera, fifo);
        if (camera->line == ready[0].fd && camera->line >= 0 && ready[0].revents && !handle_request(camera))
            unplug(camera); // the host let go of the device
        if (camera->waiting_count && now() >= camera->next_frame)
            tick(camera);
    }
}

static void parse_formats(struct camera_model *model, char *list, bool has_jpeg)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (model->offer_count == sizeof model->offers / sizeof *model->offers)
            die("too many formats");
        struct offer offer = {raw_format_named(name)};
        if (!offer.format && strcmp(name, "MJPG"))
            die("unknown format %s", name);
        if (!offer.format && !has_jpeg)
            die("MJPG needs --jpeg FILE");
        model->offers[model->offer_count++] = offer;
    }
}

int main(int count, char **arguments)
{
    static struct camera camera = {.line = -1, .model.fps = 15};
    static const struct option options[] = {
        {"pgm", required_argument, NULL, 'p'},      {"jpeg", required_argument, NULL, 'j'},
        {"formats", required_argument, NULL, 'f'},  {"fps", required_argument, NULL, 'r'},
        {"truncate", required_argument, NULL, 't'}, {"control", required_argument, NULL, 'c'},
        {"unplugged", no_argument, NULL, 'u'},      {NULL, 0, NULL, 0},
    };
    const char *pgm = NULL, *jpeg = NULL, *control_path = NULL;
    char *formats = NULL;
    bool unplugged = false;
    int option;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1)
        switch (option) {
        case 'p': pgm = optarg; break;
        case 'j': jpeg = optarg; break;
        case 'f': formats = optarg; break;
        case 'r': camera.model.fps = (unsigned)atoi(optarg); break;
        case 't': camera.truncate_at_start = (unsigned)atoi(optarg); break;
        case 'c': control_path = optarg; break;
        case 'u': unplugged = true; break;
        default: return 2;
        }
    if (!pgm || optind != count)
        die("usage: usbcam --pgm FILE [--jpeg FILE] [--formats YUYV,MJPG] [--fps N] [--truncate N] [--control FIFO]");
    if (camera.model.fps < 1 || camera.model.fps > 120)
        die("--fps: from 1 to 120");

    show(&camera, pgm, jpeg);
    camera.model.width = camera.whole.width;
    camera.model.height = camera.whole.height;
    char both[] = "YUYV,MJPG", raw[] = "YUYV";
    parse_formats(&camera.model, formats ? formats : jpeg ? both : raw, jpeg != NULL);
    if (!camera.model.offer_count)
        die("--formats: none given");

    int fifo = -1;
    if (control_path) { // read and write, so that it never reads as "ended" between two writers
        if (mkfifo(control_path, 0600) && errno != EEXIST)
            die("%s: %s", control_path, strerror(errno));
        fifo = open(control_path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        if (fifo < 0)
            die("%s: %s", control_path, strerror(errno));
    }
    if (unplugged)
        say("unplugged");
    else
        plug(&camera);
    run(&camera, fifo);
}
