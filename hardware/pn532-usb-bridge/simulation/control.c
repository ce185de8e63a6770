#include "control.h"

#include <string.h>

#include <simavr/avr_usb.h>

enum { UDADDR_ADDRESS = 0xE3, UEINT_ADDRESS = 0xF4 };
enum { REFUSED = -1, SILENT = -2 };
enum { ROUND_US = 100, PATIENCE_ROUNDS = 10000, SETUP_US = 1000 };

static void on_attach(struct avr_irq_t *irq, uint32_t value, void *attached)
{
    (void)irq;
    if (value)
        *(bool *)attached = true;
}

void usb_attach_notify(avr_t *avr, bool *attached)
{
    avr_irq_register_notify(avr_io_getirq(avr, AVR_IOCTL_USB_GETIRQ(), USB_IRQ_ATTACH), on_attach, attached);
}

void usb_bus_reset(avr_t *avr)
{
    avr_ioctl(avr, AVR_IOCTL_USB_VBUS, (void *)1);
    avr_ioctl(avr, AVR_IOCTL_USB_RESET, NULL);
    machine_run(avr, 20000);
}

uint8_t usb_address(const avr_t *avr)
{
    uint8_t value = avr->data[UDADDR_ADDRESS];
    return value & 0x80 ? value & 0x7F : 0;
}

static int packet(avr_t *avr, uint32_t what, uint8_t endpoint, uint8_t *bytes, unsigned *count)
{
    struct avr_io_usb io = { .pipe = endpoint, .sz = *count, .buf = bytes };
    int result = avr_ioctl(avr, what, &io);
    *count = io.sz;
    return result;
}

/* Repeats a packet until the device takes it, or has one. */
static int insist(avr_t *avr, uint32_t what, uint8_t *bytes, unsigned *count)
{
    unsigned offered = *count;
    for (int round = 0; round < PATIENCE_ROUNDS; round++) {
        *count = offered;
        int result = packet(avr, what, 0, bytes, count);
        if (result == AVR_IOCTL_USB_OK)
            return 0;
        if (result == AVR_IOCTL_USB_STALL)
            return REFUSED;
        machine_run(avr, ROUND_US);
    }
    return SILENT;
}

static int data_in(avr_t *avr, uint8_t *bytes, unsigned wanted)
{
    unsigned total = 0, count;
    do {
        uint8_t buffer[256];
        count = PACKET;
        int failure = insist(avr, AVR_IOCTL_USB_READ, buffer, &count);
        if (failure)
            return failure;
        if (count > wanted - total)
            count = wanted - total;
        memcpy(bytes + total, buffer, count);
        total += count;
    } while (count == PACKET && total < wanted);
    return (int)total;
}

int usb_control(avr_t *avr, struct request request, uint8_t *bytes)
{
    uint8_t setup[8] = {
        request.type, request.number, (uint8_t)request.value, (uint8_t)(request.value >> 8),
        (uint8_t)request.index, (uint8_t)(request.index >> 8), (uint8_t)request.length, (uint8_t)(request.length >> 8),
    };
    uint8_t nothing[PACKET];
    unsigned count = sizeof setup;
    int result = insist(avr, AVR_IOCTL_USB_SETUP, setup, &count);
    /* simavr has one buffer for both: the set-up packet has to be read before data may follow. */
    machine_run(avr, SETUP_US);
    bool in = request.type & 0x80;
    if (result == 0 && in)
        result = data_in(avr, bytes, request.length);
    if (result == 0 && !in && (count = request.length) > 0) {
        result = insist(avr, AVR_IOCTL_USB_WRITE, bytes, &count);
        machine_run(avr, SETUP_US);
    }
    if (result < 0)
        return result;
    count = 0;
    int status = insist(avr, in ? AVR_IOCTL_USB_WRITE : AVR_IOCTL_USB_READ, nothing, &count);
    machine_run(avr, SETUP_US);
    return status < 0 ? status : in ? result : request.length;
}

bool usb_out(avr_t *avr, uint8_t endpoint, const uint8_t *bytes, unsigned count)
{
    return packet(avr, AVR_IOCTL_USB_WRITE, endpoint, (uint8_t *)bytes, &count) == AVR_IOCTL_USB_OK;
}

/* simavr answers "no packet" and "an empty packet" alike, but only a packet sets the endpoint's bit in UEINT. */
int usb_in(avr_t *avr, uint8_t endpoint, uint8_t bytes[PACKET])
{
    uint8_t *pending = &avr->data[UEINT_ADDRESS], bit = (uint8_t)(1 << endpoint), before = *pending;
    unsigned count = PACKET;
    *pending &= (uint8_t)~bit;
    int result = packet(avr, AVR_IOCTL_USB_READ, endpoint | 0x80, bytes, &count);
    bool came = *pending & bit;
    *pending |= before;
    return result == AVR_IOCTL_USB_OK && came ? (int)count : -1;
}
