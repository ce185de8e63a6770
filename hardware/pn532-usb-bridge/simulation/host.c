#include "host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "control.h"

enum { GET_DESCRIPTOR = 6, SET_ADDRESS = 5, SET_CONFIGURATION = 9, GET_CONFIGURATION = 8 };
enum { SET_LINE_CODING = 0x20, GET_LINE_CODING = 0x21, SET_CONTROL_LINE_STATE = 0x22 };
enum { TO_DEVICE = 0x00, TO_HOST = 0x80, CLASS_TO_DEVICE = 0x21, CLASS_TO_HOST = 0xA1 };
enum { ADDRESS = 5, DTR_AND_RTS = 3, URB = 2 * PACKET };

static bool attached;
static uint8_t in_endpoint, out_endpoint;
static speed_t speed = B9600;     /* what the terminal begins with, see main.c */

static void check(bool right, const char *what)
{
    if (right)
        return;
    fprintf(stderr, "bridge-in-simavr: enumeration: %s\n", what);
    exit(1);
}

static int get(avr_t *avr, uint8_t type, uint8_t index, uint16_t length, uint8_t *bytes)
{
    uint16_t language = type == 3 && index > 0 ? 0x0409 : 0;
    return usb_control(avr, (struct request) { TO_HOST, GET_DESCRIPTOR, (uint16_t)(type << 8 | index), language, length }, bytes);
}

static void set(avr_t *avr, uint8_t type, uint8_t number, uint16_t value, const char *what)
{
    check(usb_control(avr, (struct request) { type, number, value, 0, 0 }, NULL) == 0, what);
}

/* A string descriptor as text; its characters are all ASCII. */
static void get_text(avr_t *avr, uint8_t index, char text[128])
{
    uint8_t bytes[255];
    int n = get(avr, 3, index, sizeof bytes, bytes);
    check(n >= 4 && n == bytes[0] && bytes[1] == 3, "string descriptor");
    int count = (n - 2) / 2;
    for (int i = 0; i < count; i++)
        text[i] = (char)bytes[2 + 2 * i];
    text[count] = '\0';
}

/* Walks through the configuration: interfaces of class 2 and 10, a union, one interrupt IN and one bulk endpoint each way. */
static void check_configuration(const uint8_t *bytes, int n)
{
    bool control = false, data = false, joined = false, notify = false;
    in_endpoint = out_endpoint = 0;
    for (int at = 0; at < n; at += bytes[at]) {
        const uint8_t *d = bytes + at;
        check(d[0] >= 2 && at + d[0] <= n, "a descriptor's length");
        if (d[1] == 4) {
            control |= d[2] == 0 && d[5] == 2 && d[6] == 2;
            data |= d[2] == 1 && d[5] == 10;
        }
        joined |= d[1] == 0x24 && d[2] == 6 && d[3] == 0 && d[4] == 1;
        if (d[1] == 5) {
            notify |= (d[2] & 0x80) && d[3] == 3;
            if (d[3] == 2)
                *(d[2] & 0x80 ? &in_endpoint : &out_endpoint) = d[2] & 0x0F;
            check(d[3] != 2 || (d[4] == PACKET && d[5] == 0), "a bulk endpoint's size");
        }
    }
    check(control && data && joined && notify && in_endpoint && out_endpoint, "not a serial device");
}

static void enumerate(avr_t *avr)
{
    uint8_t device[64], configuration[255], again[7], coding[7];
    char maker[128], product[128], serial[128];
    attached = false;
    machine_run(avr, 100000);
    usb_bus_reset(avr);
    check(get(avr, 1, 0, 64, device) == 18 && device[7] == 64, "first device descriptor");
    usb_bus_reset(avr);
    set(avr, TO_DEVICE, SET_ADDRESS, ADDRESS, "address");
    check(usb_address(avr) == ADDRESS, "address is not in force");
    check(get(avr, 1, 0, 18, device) == 18 && device[4] == 2, "device descriptor");
    check(get(avr, 6, 0, 10, again) == -1, "a device qualifier, though it has no high speed");
    check(get(avr, 2, 0, 9, configuration) == 9, "head of the configuration");
    int total = configuration[2] | configuration[3] << 8;
    check(get(avr, 2, 0, 255, configuration) == total, "configuration");
    check_configuration(configuration, total);
    check(get(avr, 3, 0, 255, again) == 4, "languages");
    get_text(avr, device[14], maker);
    get_text(avr, device[15], product);
    get_text(avr, device[16], serial);
    check(strcmp(product, "SRUP PN532 bridge") == 0, "product");
    set(avr, TO_DEVICE, SET_CONFIGURATION, 1, "set configuration");
    check(usb_control(avr, (struct request) { TO_HOST, GET_CONFIGURATION, 0, 0, 1 }, again) == 1 && again[0] == 1,
          "configuration is not in force");
    check(usb_control(avr, (struct request) { CLASS_TO_HOST, GET_LINE_CODING, 0, 0, 7 }, coding) == 7, "line coding");
    fprintf(stderr, "bridge-in-simavr: %02x%02x:%02x%02x %s, %s, serial %s\n", device[9], device[8], device[11], device[10],
            maker, product, serial);
}

static void set_speed(avr_t *avr, speed_t new_speed)
{
    static const struct { speed_t code; uint32_t baud; } speeds[] = {
        { B1200, 1200 }, { B9600, 9600 }, { B19200, 19200 }, { B38400, 38400 }, { B57600, 57600 }, { B115200, 115200 },
    };
    uint32_t baud = 115200;
    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        if (speeds[i].code == new_speed)
            baud = speeds[i].baud;
    uint8_t coding[7] = { (uint8_t)baud, (uint8_t)(baud >> 8), (uint8_t)(baud >> 16), (uint8_t)(baud >> 24), 0, 0, 8 };
    uint8_t now[7];
    check(usb_control(avr, (struct request) { CLASS_TO_DEVICE, SET_LINE_CODING, 0, 0, 7 }, coding) == 7, "set line coding");
    check(usb_control(avr, (struct request) { CLASS_TO_HOST, GET_LINE_CODING, 0, 0, 7 }, now) == 7
          && memcmp(now, coding, 7) == 0, "line coding is not in force");
    speed = new_speed;
}

static struct termios settings_of(int terminal)
{
    struct termios settings;
    tcgetattr(terminal, &settings);
    return settings;
}

/* The driver sees the terminal's settings: a new speed goes to the device, and so does the closing if HUPCL says so. */
static struct termios follow_settings(avr_t *avr, int terminal)
{
    struct termios settings = settings_of(terminal);
    if (cfgetospeed(&settings) != speed)
        set_speed(avr, cfgetospeed(&settings));
    return settings;
}

static bool open_now;
static uint8_t out[PACKET], urb[URB];
static unsigned out_count, urb_count, urb_written;
static bool urb_done;

static void line_state(avr_t *avr, bool high)
{
    set(avr, CLASS_TO_DEVICE, SET_CONTROL_LINE_STATE, high ? DTR_AND_RTS : 0, "line state");
}

static void follow_opening(avr_t *avr, int terminal, bool is_open)
{
    if (is_open == open_now)
        return;
    open_now = is_open;
    struct termios settings = follow_settings(avr, terminal);
    if (is_open) {
        line_state(avr, true);
        return;
    }
    out_count = urb_count = urb_written = 0;
    urb_done = false;
    if (settings.c_cflag & HUPCL)
        line_state(avr, false);
}

static void move_out(avr_t *avr, int terminal, bool readable)
{
    if (out_count == 0 && readable) {
        ssize_t n = read(terminal, out, sizeof out);
        out_count = n > 0 ? (unsigned)n : 0;
    }
    if (out_count > 0 && usb_out(avr, out_endpoint, out, out_count))
        out_count = 0;
}

/* Linux asks for two packets at a time and hears nothing until both have come or one that is not full: a device that forgets
 * the empty packet after a full last one is found out here. */
static void move_in(avr_t *avr, int terminal)
{
    if (!urb_done) {
        int n = usb_in(avr, in_endpoint, urb + urb_count);
        if (n < 0)
            return;
        urb_count += (unsigned)n;
        urb_done = n < PACKET || urb_count == URB;
    }
    if (!urb_done)
        return;
    ssize_t n = urb_written < urb_count ? write(terminal, urb + urb_written, urb_count - urb_written) : 0;
    if (n > 0)
        urb_written += (unsigned)n;
    if (urb_written == urb_count) {
        urb_count = urb_written = 0;
        urb_done = false;
    }
}

void host_begin(avr_t *avr)
{
    usb_attach_notify(avr, &attached);
    for (int ms = 0; !attached; ms++) {
        check(ms < 1000, "the device does not attach");
        machine_run(avr, 1000);
    }
    enumerate(avr);
}

static void device_came_again(avr_t *avr, int terminal)
{
    enumerate(avr);
    struct termios settings = settings_of(terminal);
    speed = cfgetospeed(&settings);
    open_now = false;
}

/* What somebody else did with the terminal since the last round. */
static void follow_terminal(avr_t *avr, int terminal, bool is_open)
{
    struct termios settings = settings_of(terminal);
    bool changed = cfgetospeed(&settings) != speed;
    if (changed && !open_now && !is_open)
        follow_opening(avr, terminal, true);    /* opened and closed again between two rounds, as by stty */
    follow_opening(avr, terminal, is_open);
    if (is_open && changed)
        follow_settings(avr, terminal);
}

void host_serve(avr_t *avr, int terminal)
{
    if (attached)
        device_came_again(avr, terminal);
    struct pollfd poll_terminal = { .fd = terminal, .events = POLLIN };
    poll(&poll_terminal, 1, 0);
    bool readable = poll_terminal.revents & POLLIN;
    follow_terminal(avr, terminal, readable || !(poll_terminal.revents & POLLHUP));
    if (open_now) {
        move_out(avr, terminal, readable);
        move_in(avr, terminal);
    }
}
