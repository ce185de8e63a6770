// The USB side of a PN532 reader; the chip itself is a simulated one (hardware/pn532-simulator).
//
//   usbreader acm|ch341|cp210x --pty PATH [--id VVVV:PPPP] [--name TEXT] [--serial TEXT] [--port N] [--control FIFO]
//   usbreader i2c [--socket PATH] [--port N] [--control FIFO]
//
// acm, ch341, cp210x: a serial port, driven by the kernel's cdc_acm, ch341 or cp210x; bytes go to and from the chip's
// pseudo terminal. i2c: an I2C bus, driven by i2c-tiny-usb; each transfer goes to the chip's socket (I2CPort.swift);
// without one the bus is empty.
// Commands: unplug, plug, quit; each is answered by a line once it is done.
#define _GNU_SOURCE
#include "device.h"
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

enum { notify = 1, bulk_out = 2, bulk_in = 3, chip_address = 0x24 };

// The bridge's (hardware/pn532-usb-bridge/firmware/descriptors.c), with the packet size of high speed.
static const uint8_t acm_configuration[] = {
    9, 2, 67, 0, 2, 1, 0, 0x80, 100,
    9, 4, 0, 0, 1, 2, 2, 0, 0,
    5, 0x24, 0, 0x10, 0x01, 5, 0x24, 1, 0, 1, 4, 0x24, 2, 2, 5, 0x24, 6, 0, 1,
    7, 5, 0x80 | notify, 3, 8, 0, 9,
    9, 4, 1, 0, 2, 10, 0, 0, 0,
    7, 5, bulk_out, 2, 0x00, 0x02, 0, 7, 5, 0x80 | bulk_in, 2, 0x00, 0x02, 0,
};
// Serial chips with requests of their own have one interface for all.
static const uint8_t serial_configuration[] = {
    9, 2, 39, 0, 1, 1, 0, 0x80, 100,
    9, 4, 0, 0, 3, 0xff, 0, 0, 0,
    7, 5, 0x80 | notify, 3, 8, 0, 9,
    7, 5, bulk_out, 2, 0x00, 0x02, 0, 7, 5, 0x80 | bulk_in, 2, 0x00, 0x02, 0,
};
// The I2C adapter has the control endpoint alone.
static const uint8_t i2c_configuration[] = {9, 2, 18, 0, 1, 1, 0, 0x80, 100, 9, 4, 0, 0, 0, 0xff, 0, 0, 0};

struct reader {
    struct device_model model;
    struct cable cable;
    struct waiting waiting; // bulk reads
    int chip;               // the pseudo terminal or the socket
    bool is_i2c;
    uint8_t i2c_status;
};

// MARK: a serial port

/// What the chip has said goes into the reads that wait.
static void pump(struct reader *reader)
{
    struct request request;
    static uint8_t bytes[512];
    if (!waiting_take(&reader->waiting, &request))
        return;
    ssize_t count = read(reader->chip, bytes, request.length < sizeof bytes ? request.length : sizeof bytes);
    if (count <= 0)
        die("the chip is gone: %s", strerror(errno));
    cable_answer(&reader->cable, &request, 0, bytes, (size_t)count);
}

static void serial_request(struct reader *reader, const struct request *request)
{
    static const uint8_t zeros[4096];
    if (request->endpoint == bulk_in && request->to_host)
        return waiting_add(&reader->waiting, request);
    if (request->endpoint == notify)
        return; // no modem line ever changes: it waits until it is taken back
    if (request->endpoint == bulk_out) {
        if (write(reader->chip, request->data, request->length) != (ssize_t)request->length)
            die("the chip does not take %u bytes: %s", request->length, strerror(errno));
    } else if (request->to_host) {
        // Versions, line states, settings: zeros are good enough for all three drivers.
        return cable_answer(&reader->cable, request, 0, zeros, request->length);
    }
    cable_answer(&reader->cable, request, 0, NULL, request->length);
}

static int open_pty(const char *path)
{
    struct termios raw;
    int chip = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (chip < 0 || tcgetattr(chip, &raw))
        die("%s: %s", path, strerror(errno));
    cfmakeraw(&raw);
    tcsetattr(chip, TCSANOW, &raw);
    return chip;
}

// MARK: an I2C bus

static void receive(int chip, void *bytes, size_t length)
{
    if (length && recv(chip, bytes, length, MSG_WAITALL) != (ssize_t)length)
        die("the chip is gone");
}

/// One transaction with the chip; false when nobody acknowledges the address.
static bool transact(struct reader *reader, const struct request *request, uint8_t *answer)
{
    const uint8_t head[3] = {request->to_host ? 'R' : 'W', (uint8_t)(request->length >> 8), (uint8_t)request->length};
    uint8_t status;
    if (reader->chip < 0 || (request->setup[4] & 0x7f) != chip_address)
        return false;
    if (send(reader->chip, head, 3, MSG_NOSIGNAL) != 3 ||
        (!request->to_host && send(reader->chip, request->data, request->length, MSG_NOSIGNAL) != (ssize_t)request->length))
        die("the chip is gone");
    receive(reader->chip, &status, 1);
    if (!status && request->to_host)
        receive(reader->chip, answer, request->length);
    return !status;
}

/// The protocol of i2c-tiny-usb (drivers/i2c/busses/i2c-tiny-usb.c): a request number is a command.
static void i2c_request(struct reader *reader, const struct request *request)
{
    enum { echo, get_functions, set_delay, get_status, transfer };
    enum { status_acknowledged = 1, status_not_acknowledged = 2 };
    static uint8_t out[most_transfer_bytes];
    memset(out, 0, request->length);
    size_t length = request->length;
    switch (request->setup[1]) {
    case get_functions:
        // I2C_FUNC_I2C and the SMBus transfers that the kernel makes of it.
        memcpy(out, (const uint8_t[]){0x01, 0x00, 0xff, 0x0e}, length < 4 ? length : 4);
        break;
    case get_status:
        out[0] = reader->i2c_status;
        break;
    case echo:
    case set_delay:
        break;
    default:
        if (request->setup[1] < transfer || request->setup[1] > (transfer | 3))
            return cable_answer(&reader->cable, request, -EPIPE, NULL, 0);
        // The flags "begin" and "end" do not matter: a message is a transaction for this chip.
        reader->i2c_status = transact(reader, request, out) ? status_acknowledged : status_not_acknowledged;
    }
    cable_answer(&reader->cable, request, 0, out, length);
}

static int connect_chip(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int chip = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (chip < 0 || connect(chip, (struct sockaddr *)&address, sizeof address))
        die("%s: %s", path, strerror(errno));
    return chip;
}

// MARK: the loop

static void plug(struct reader *reader)
{
    cable_plug(&reader->cable);
    say("plugged");
}

static void unplug(struct reader *reader)
{
    cable_unplug(&reader->cable);
    reader->waiting.count = 0;
    say("unplugged");
}

static void obey(void *context, char *line)
{
    if (!strcmp(line, "plug"))
        plug(context);
    else if (!strcmp(line, "unplug"))
        unplug(context);
    else if (!strcmp(line, "quit"))
        unplug(context), exit(0);
    else
        die("unknown command \"%s\"", line);
}

static void handle(struct reader *reader)
{
    struct request request;
    if (!cable_next(&reader->cable, &request))
        return unplug(reader); // the host let go of the device
    if (request.is_unlink)
        // An unlinked notification is not in the list, but it was never answered either.
        cable_unlinked(&reader->cable, &request, waiting_drop(&reader->waiting, request.victim) ?: -ECONNRESET);
    else if (!device_answer(&reader->cable, &reader->model, &request))
        (reader->is_i2c ? i2c_request : serial_request)(reader, &request);
}

static void run(struct reader *reader, int fifo)
{
    for (;;) {
        bool wants_bytes = !reader->is_i2c && reader->waiting.count;
        struct pollfd ready[3] = {{.fd = reader->cable.line, .events = POLLIN},
                                  {.fd = fifo, .events = POLLIN},
                                  {.fd = wants_bytes ? reader->chip : -1, .events = POLLIN}};
        if (poll(ready, 3, -1) < 0 && errno != EINTR)
            die("poll: %s", strerror(errno));
        if (ready[2].revents)
            pump(reader);
        if (ready[0].revents)
            handle(reader);
        if (ready[1].revents & POLLIN)
            read_commands(fifo, obey, reader);
    }
}

static struct device_model model_named(const char *kind)
{
    if (!strcmp(kind, "acm"))
        return (struct device_model){0x1209, 0x0001, 2, "SRUP observer", "SRUP PN532 bridge", "0001",
                                     acm_configuration, sizeof acm_configuration};
    if (!strcmp(kind, "ch341"))
        return (struct device_model){0x1a86, 0x7523, 0xff, NULL, "USB2.0-Serial", NULL, serial_configuration,
                                     sizeof serial_configuration};
    if (!strcmp(kind, "cp210x"))
        return (struct device_model){0x10c4, 0xea60, 0, "Silicon Labs", "CP2102 USB to UART Bridge Controller", "0001",
                                     serial_configuration, sizeof serial_configuration};
    if (!strcmp(kind, "i2c"))
        return (struct device_model){0x0403, 0xc631, 0xff, "Till Harbaum", "i2c-tiny-usb", NULL, i2c_configuration,
                                     sizeof i2c_configuration};
    die("acm, ch341, cp210x or i2c, not %s", kind);
}

int main(int count, char **arguments)
{
    static struct reader reader = {.cable.line = -1, .chip = -1};
    static const struct option options[] = {
        {"pty", required_argument, NULL, 't'},  {"socket", required_argument, NULL, 'k'},
        {"port", required_argument, NULL, 'P'}, {"control", required_argument, NULL, 'c'},
        {"id", required_argument, NULL, 'i'},   {"name", required_argument, NULL, 'n'},
        {"serial", required_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    if (count < 2)
        die("usage: usbreader acm|ch341|cp210x --pty PATH, usbreader i2c --socket PATH");
    reader.model = model_named(arguments[1]);
    reader.is_i2c = !strcmp(arguments[1], "i2c");
    int option, fifo = -1;
    unsigned vendor, product;
    while ((option = getopt_long(count - 1, arguments + 1, "", options, NULL)) != -1)
        switch (option) {
        case 't': reader.chip = open_pty(optarg); break;
        case 'k': reader.chip = connect_chip(optarg); break;
        case 'P': reader.cable.port = (unsigned)atoi(optarg); break;
        case 'c': fifo = command_fifo(optarg); break;
        case 'n': reader.model.name = optarg; break;
        case 's': reader.model.serial = optarg; break;
        case 'i':
            if (sscanf(optarg, "%x:%x", &vendor, &product) != 2)
                die("--id VVVV:PPPP");
            reader.model.vendor = (uint16_t)vendor;
            reader.model.product = (uint16_t)product;
            break;
        default: return 2;
        }
    if (reader.chip < 0 && !reader.is_i2c)
        die("--pty PATH is missing");
    plug(&reader);
    run(&reader, fifo);
}
