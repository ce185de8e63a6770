// An old still camera that streams over USB: the kernel's gspca_finepix drives it and gives V4L2_PIX_FMT_JPEG,
// which no UVC camera has (theirs is called MJPEG). It has one size, 320x240.
//
//   finepix --jpeg FILE [--port N]
//
// What the driver does: a command (12 bytes to the control endpoint) "reset", one bulk read; then, for each picture, the
// command "frame" and bulk reads of 8192 bytes until one comes short. Ends when its standard input does.
#define _GNU_SOURCE
#include "device.h"
#include "image.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

enum { bulk_in = 1, most_jpeg = 320 * 240 * 3 / 8 + 590 };

static const uint8_t configuration[] = {
    9, 2, 25, 0, 1, 1, 0, 0x80, 250, // one interface, 500 mA
    9, 4, 0, 0, 1, 0xff, 0, 0, 0,    // vendor's own
    7, 5, 0x80 | bulk_in, 2, 0x00, 0x02, 0,
};

struct finepix {
    struct cable cable;
    struct waiting waiting;
    uint8_t *jpeg;
    size_t length, sent;
    bool is_asked, is_reset;
};

static void pump(struct finepix *camera)
{
    struct request request;
    while ((camera->is_reset || camera->is_asked) && waiting_take(&camera->waiting, &request)) {
        if (camera->is_reset) {
            camera->is_reset = false;
            cable_answer(&camera->cable, &request, 0, "ready", 5);
            continue;
        }
        size_t left = camera->length - camera->sent;
        size_t count = left < request.length ? left : request.length;
        cable_answer(&camera->cable, &request, 0, camera->jpeg + camera->sent, count);
        camera->sent += count;
        if (count < request.length)
            camera->is_asked = false;
    }
}

static void handle(struct finepix *camera, const struct device_model *model)
{
    struct request request;
    if (!cable_next(&camera->cable, &request))
        die("the host let go of the camera");
    if (request.is_unlink)
        return cable_unlinked(&camera->cable, &request, waiting_drop(&camera->waiting, request.victim));
    if (device_answer(&camera->cable, model, &request))
        return;
    if (request.endpoint == bulk_in && request.to_host) {
        waiting_add(&camera->waiting, &request);
        return pump(camera);
    }
    bool is_command = request.setup[0] == 0x21 && request.length == 12;
    camera->is_reset = is_command && request.data[0] == 0xc6;
    camera->is_asked = is_command && request.data[0] == 0xd3;
    camera->sent = 0;
    cable_answer(&camera->cable, &request, is_command ? 0 : -EPIPE, NULL, is_command ? request.length : 0);
    pump(camera);
}

int main(int count, char **arguments)
{
    static struct finepix camera = {.cable.line = -1};
    static const struct option options[] = {
        {"jpeg", required_argument, NULL, 'j'}, {"port", required_argument, NULL, 'P'}, {NULL, 0, NULL, 0}};
    const struct device_model model = {0x04cb, 0x0104, 0, "Fujifilm", "FinePix 4800", NULL, configuration,
                                       sizeof configuration};
    int option;
    while ((option = getopt_long(count, arguments, "", options, NULL)) != -1)
        switch (option) {
        case 'j': camera.jpeg = file_read(optarg, &camera.length); break;
        case 'P': camera.cable.port = (unsigned)atoi(optarg); break;
        default: return 2;
        }
    // The driver takes a picture only from its second bulk read on, and none that is larger.
    if (camera.length <= 8192 || camera.length > most_jpeg)
        die("usage: finepix --jpeg FILE [--port N], with a FILE of 8193 to %d bytes", most_jpeg);
    cable_plug(&camera.cable);
    say("plugged");
    for (;;) {
        struct pollfd ready[2] = {{.fd = camera.cable.line, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        char byte;
        if (poll(ready, 2, -1) < 0 && errno != EINTR)
            return 1;
        if (ready[0].revents)
            handle(&camera, &model);
        if (ready[1].revents && read(0, &byte, 1) <= 0)
            return 0;
    }
}
