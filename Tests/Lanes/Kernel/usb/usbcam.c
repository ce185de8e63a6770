// A USB camera made of bytes: it is plugged into vhci_hcd by USB/IP
// (usbip.h), so that the kernel's own uvcvideo driver
// finds a UVC 1.0 camera on its bus and streams from it through a bulk endpoint.
//
//   usbcam --pgm FILE [--jpeg FILE] [--formats YUYV,MJPG,...] [--fps N] [--truncate N]
//          [--control FIFO] [--unplugged] [--port N] [--serial TEXT] [--small-raw] [--controls]
//
// The sizes on offer are the picture's own and, for raw formats, half of it (with --small-raw nothing else). With --controls
// exposure mode, exposure and gain can be set, and stay set until it is unplugged. Lines written to the FIFO:
//   unplug, plug          pull the cable, put it in again
//   stall, resume         stop sending frames though the stream runs; go on
//   hang                  stall until the host starts the stream anew
//   glitch                fail the transfers in flight with a protocol error
//   truncate N            cut the next N frames short
//   picture PGM [JPEG]    show another picture (of the same size)
//   status                say how many frames went out
//   port N                the socket that the next "plug" takes
//   quit
// Each is answered by a line on standard output once it is done; so is every start of the stream
// ("streaming YUYV 640x480"). One thread, one poll loop.
#define _GNU_SOURCE
#include "uvc.h"
#include "usbip.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct camera {
    struct camera_model model;
    struct image whole, half;
    uint8_t *jpeg;
    size_t jpeg_length;

    struct cable cable;
    struct probe probe, committed;
    struct waiting waiting;
    uint32_t exposure_mode, exposure, gain;

    uint8_t *frame; // the frame on its way
    size_t frame_room, frame_length, frame_sent;
    bool frame_active, frame_identifier;
    bool stalled, hung, glitch_due;
    unsigned truncate_at_start, truncate_left;
    unsigned long frames, truncated;
    int64_t next_frame; // nanoseconds of the monotonic clock
};

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
        format->pack(length == raw_size(format, camera->whole.width, camera->whole.height) ? &camera->whole : &camera->half,
                     camera->frame);
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
    struct request request;
    while (!camera->glitch_due && camera->frame_active && waiting_take(&camera->waiting, &request)) {
        size_t room = (request.length < payload_size ? request.length : payload_size) - payload_header;
        size_t left = camera->frame_length - camera->frame_sent;
        size_t count = left < room ? left : room;
        bool last = count == left;
        payload[0] = payload_header;
        payload[1] = (uint8_t)(0x80 | (last ? 0x02 : 0) | camera->frame_identifier); // end of header, of frame
        memcpy(payload + payload_header, camera->frame + camera->frame_sent, count);
        cable_answer(&camera->cable, &request, 0, payload, payload_header + count);
        camera->frame_sent += count;
        if (last) {
            camera->frame_active = false;
            camera->frames++;
        }
    }
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

static void glitch(struct camera *camera)
{
    struct request request;
    unsigned count = 0;
    // All that uvcvideo has in flight (UVC_URBS): with one left the stream would go on. On a busy host they may not all be here.
    enum { in_flight = 5 };
    camera->glitch_due = camera->waiting.count < in_flight;
    if (camera->glitch_due)
        return;
    camera->frame_active = false;
    for (; waiting_take(&camera->waiting, &request); count++)
        cable_answer(&camera->cable, &request, -EPROTO, NULL, 0);
    say("glitched %u", count);
}

// MARK: requests

/// One control of UVC 1.0 (4.2.2.1, 4.2.2.3) that can be set.
struct setting {
    unsigned entity, selector, size;
    uint32_t least, most, step, usual; // of the exposure mode "step" is the modes there are, as bits
    size_t place;
};
static const struct setting settings[] = {
    {camera_terminal, 2, 1, 1, 8, 1 | 8, 8, offsetof(struct camera, exposure_mode)},
    {camera_terminal, 4, 4, 3, 2047, 1, 250, offsetof(struct camera, exposure)},
    {processing_unit, 4, 2, 0, 255, 1, 64, offsetof(struct camera, gain)},
};

static uint32_t *value_of(struct camera *camera, const struct setting *setting)
{
    return (uint32_t *)((char *)camera + setting->place);
}

static void reset_settings(struct camera *camera)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        *value_of(camera, &settings[i]) = settings[i].usual;
}

/// A request for a setting; as ``control``.
static int set_or_tell(struct camera *camera, const uint8_t setup[8], const uint8_t *data, size_t length, uint8_t *out)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const struct setting *setting = &settings[i];
        if (setup[5] != setting->entity || setup[3] != setting->selector)
            continue;
        uint32_t answer = 0;
        switch (setup[1]) {
        case 0x01: // SET_CUR
            for (size_t at = 0; at < setting->size && at < length; at++)
                answer |= (uint32_t)data[at] << 8 * at;
            *value_of(camera, setting) = answer;
            return 0;
        case 0x81: answer = *value_of(camera, setting); break;
        case 0x82: answer = setting->least; break;
        case 0x83: answer = setting->most; break;
        case 0x84: answer = setting->step; break;
        case 0x85: out[0] = (uint8_t)setting->size, out[1] = 0; return 2; // GET_LEN
        case 0x86: out[0] = 3; return 1;                                  // GET_INFO: can be read and set
        case 0x87: answer = setting->usual; break;
        default: return -EPIPE;
        }
        for (unsigned at = 0; at < setting->size; at++)
            out[at] = (uint8_t)(answer >> 8 * at);
        return (int)setting->size;
    }
    return -EPIPE;
}

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
    if (camera->model.controls && (index & 0xff) == 0)
        return set_or_tell(camera, setup, data, length, out);
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

static void handle_submit(struct camera *camera, const struct request *request)
{
    if (request->endpoint == bulk_endpoint) {
        if (!request->to_host || request->length <= payload_header)
            die("unexpected bulk transfer (%u bytes)", request->length);
        waiting_add(&camera->waiting, request);
        return camera->glitch_due ? glitch(camera) : pump(camera);
    }
    static uint8_t out[4096];
    int result = control(camera, request->setup, request->data, request->to_host ? 0 : request->length, out, sizeof out);
    size_t length = request->to_host ? (size_t)(result > 0 ? result : 0) : request->length;
    cable_answer(&camera->cable, request, result < 0 ? result : 0, out, result < 0 ? 0 : length);
}

/// False when the host let go of the device.
static bool handle_request(struct camera *camera)
{
    struct request request;
    if (!cable_next(&camera->cable, &request))
        return false;
    if (request.is_unlink)
        cable_unlinked(&camera->cable, &request, waiting_drop(&camera->waiting, request.victim));
    else
        handle_submit(camera, &request);
    return true;
}

// MARK: the cable

static void plug(struct camera *camera)
{
    if (camera->cable.line < 0) {
        cable_plug(&camera->cable);
        reset_settings(camera);
        camera->probe = camera->committed = (struct probe){1, 1};
        camera->waiting.count = 0;
        camera->frame_active = camera->stalled = camera->hung = camera->glitch_due = false;
    }
    say("plugged");
}

static void unplug(struct camera *camera)
{
    cable_unplug(&camera->cable);
    camera->waiting.count = 0;
    camera->frame_active = false;
    say("unplugged");
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

static void obey(void *context, char *line)
{
    struct camera *camera = context;
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
    else if (sscanf(line, "port %u", &count) == 1)
        camera->cable.port = count, say("port %u", count);
    else if (sscanf(line, "picture %255s %255s", first, second) >= 1)
        show(camera, first, *second ? second : NULL), say("picture %s", first);
    else if (!strcmp(line, "status"))
        say("frames %lu", camera->frames);
    else if (!strcmp(line, "quit"))
        unplug(camera), exit(0);
    else
        die("unknown command \"%s\"", line);
}

// MARK: the loop

static void tick(struct camera *camera)
{
    const int64_t interval = INT64_C(1000000000) / camera->model.fps;
    camera->next_frame += interval;
    if (camera->next_frame < now()) // late: drop the frames that were missed, as a sensor does
        camera->next_frame = now() + interval;
    if (camera->frame_active || camera->stalled || camera->hung || !camera->waiting.count)
        return;
    begin_frame(camera);
    pump(camera);
}

static void run(struct camera *camera, int fifo)
{
    for (;;) {
        struct pollfd ready[2] = {{.fd = camera->cable.line, .events = POLLIN}, {.fd = fifo, .events = POLLIN}};
        int64_t left = camera->next_frame - now();
        int wait = left <= 0 ? 0 : (int)(left / 1000000) + 1;
        if (!camera->waiting.count)
            wait = -1; // nothing to send to: sleep until the host asks
        if (poll(ready, 2, wait) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (ready[1].revents & POLLIN)
            read_commands(fifo, obey, camera);
        if (camera->cable.line == ready[0].fd && camera->cable.line >= 0 && ready[0].revents && !handle_request(camera))
            unplug(camera); // the host let go of the device
        if (camera->waiting.count && now() >= camera->next_frame)
            tick(camera);
    }
}

static void parse_formats(struct camera_model *model, char *list, bool has_jpeg)
{
    for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
        if (model->offer_count == sizeof model->offers / sizeof *model->offers)
            die("too many formats");
        struct offer offer = {raw_format_named(name)};
        if (offer.format && !*offer.format->uvc)
            die("UVC has no format %s", name);
        if (!offer.format && strcmp(name, "MJPG"))
            die("unknown format %s", name);
        if (!offer.format && !has_jpeg)
            die("MJPG needs --jpeg FILE");
        model->offers[model->offer_count++] = offer;
    }
}

int main(int count, char **arguments)
{
    static struct camera camera = {.cable.line = -1, .model = {.fps = 15, .serial = "kernel-lane"}};
    static const struct option options[] = {
        {"pgm", required_argument, NULL, 'p'},      {"jpeg", required_argument, NULL, 'j'},
        {"formats", required_argument, NULL, 'f'},  {"fps", required_argument, NULL, 'r'},
        {"truncate", required_argument, NULL, 't'}, {"control", required_argument, NULL, 'c'},
        {"unplugged", no_argument, NULL, 'u'},      {"port", required_argument, NULL, 'P'},
        {"serial", required_argument, NULL, 's'},   {"small-raw", no_argument, NULL, 'S'},
        {"controls", no_argument, NULL, 'C'},       {NULL, 0, NULL, 0},
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
        case 'P': camera.cable.port = (unsigned)atoi(optarg); break;
        case 's': camera.model.serial = optarg; break;
        case 'S': camera.model.small_raw = 1; break;
        case 'C': camera.model.controls = 1; break;
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

    int fifo = control_path ? command_fifo(control_path) : -1;
    if (unplugged)
        say("unplugged");
    else
        plug(&camera);
    run(&camera, fifo);
}
