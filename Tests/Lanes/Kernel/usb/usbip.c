#define _GNU_SOURCE
#include "usbip.h"
#include "image.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { cmd_submit = 1, cmd_unlink = 2, ret_submit = 3, ret_unlink = 4, direction_in = 1 };
enum { speed_high = 3 };
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

void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

// MARK: the cable

void cable_plug(struct cable *cable)
{
    if (cable->line >= 0)
        return;
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair: %s", strerror(errno));
    // The port is busy for a moment after an unplug.
    const int64_t deadline = now() + INT64_C(5000000000);
    for (;;) {
        int attach = open(VHCI "/attach", O_WRONLY | O_CLOEXEC);
        if (attach < 0)
            die(VHCI "/attach: %s", strerror(errno));
        int written = dprintf(attach, "%u %d %u %d", cable->port, pair[1], 0x10002 + cable->port, speed_high);
        int error = errno;
        close(attach);
        if (written > 0)
            break;
        if (error != EBUSY || now() > deadline)
            die(VHCI "/attach: %s", strerror(error));
        usleep(10000);
    }
    close(pair[1]);
    cable->line = pair[0];
}

void cable_unplug(struct cable *cable)
{
    if (cable->line >= 0)
        close(cable->line);
    cable->line = -1;
}

/// False when the cable is gone.
static bool receive(struct cable *cable, void *bytes, size_t length)
{
    return recv(cable->line, bytes, length, MSG_WAITALL) == (ssize_t)length;
}

static void transmit(struct cable *cable, const void *bytes, size_t length)
{
    // A failure is noticed by the next receive, which has to handle a lost cable anyway.
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(cable->line, (const char *)bytes + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0)
            return;
        sent += (size_t)count;
    }
}

bool cable_next(struct cable *cable, struct request *request)
{
    static uint8_t data[most_transfer_bytes];
    struct header header;
    if (!receive(cable, &header, sizeof header))
        return false;
    *request = (struct request){.sequence = ntohl(header.sequence), .data = data};
    switch (ntohl(header.command)) {
    case cmd_unlink:
        request->is_unlink = true;
        request->victim = ntohl(header.unlink.sequence);
        return true;
    case cmd_submit:
        break;
    default:
        die("unknown USB/IP command %#x", ntohl(header.command));
    }
    request->endpoint = ntohl(header.endpoint);
    request->to_host = ntohl(header.direction) == direction_in;
    request->length = ntohl(header.submit.length);
    memcpy(request->setup, header.submit.setup, sizeof request->setup);
    if (request->length > most_transfer_bytes)
        die("a transfer of %u bytes", request->length);
    return request->to_host || !request->length || receive(cable, data, request->length);
}

void cable_answer(struct cable *cable, const struct request *request, int status, const void *bytes, size_t length)
{
    static uint8_t message[sizeof(struct header) + most_transfer_bytes];
    if (length > request->length)
        length = request->length;
    struct header header = {.command = htonl(ret_submit), .sequence = htonl(request->sequence)};
    header.submitted.status = htonl((uint32_t)status);
    header.submitted.length = htonl((uint32_t)length);
    memcpy(message, &header, sizeof header);
    if (request->to_host && length)
        memcpy(message + sizeof header, bytes, length);
    transmit(cable, message, sizeof header + (request->to_host ? length : 0));
}

void cable_unlinked(struct cable *cable, const struct request *request, int status)
{
    struct header header = {.command = htonl(ret_unlink), .sequence = htonl(request->sequence)};
    header.unlinked.status = htonl((uint32_t)status);
    transmit(cable, &header, sizeof header);
}

// MARK: requests that wait

void waiting_add(struct waiting *waiting, const struct request *request)
{
    if (waiting->count == sizeof waiting->requests / sizeof *waiting->requests)
        die("more than %u transfers wait", waiting->count);
    waiting->requests[waiting->count++] = *request;
}

static void take_out(struct waiting *waiting, unsigned index)
{
    waiting->count--;
    memmove(waiting->requests + index, waiting->requests + index + 1,
            (waiting->count - index) * sizeof *waiting->requests);
}

bool waiting_take(struct waiting *waiting, struct request *request)
{
    if (!waiting->count)
        return false;
    *request = waiting->requests[0];
    take_out(waiting, 0);
    return true;
}

int waiting_drop(struct waiting *waiting, uint32_t victim)
{
    for (unsigned i = 0; i < waiting->count; i++)
        if (waiting->requests[i].sequence == victim) {
            take_out(waiting, i);
            return -ECONNRESET;
        }
    return 0;
}

// MARK: commands

int command_fifo(const char *path)
{
    if (mkfifo(path, 0600) && errno != EEXIST)
        die("%s: %s", path, strerror(errno));
    // Read and write, so that it never reads as "ended" between two writers.
    int fifo = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fifo < 0)
        die("%s: %s", path, strerror(errno));
    return fifo;
}

void read_commands(int fifo, void (*obey)(void *context, char *line), void *context)
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
            obey(context, line);
        line = end + 1;
    }
    used = strlen(line);
    if (used == sizeof buffer - 1)
        die("a command longer than %zu bytes", sizeof buffer);
    memmove(buffer, line, used);
}
