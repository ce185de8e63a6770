#include "usb.h"

#include <avr/io.h>
#include <avr/pgmspace.h>
#include <string.h>

#include "descriptors.h"

enum {
    GET_STATUS = 0, CLEAR_FEATURE = 1, SET_FEATURE = 3, SET_ADDRESS = 5, GET_DESCRIPTOR = 6,
    GET_CONFIGURATION = 8, SET_CONFIGURATION = 9, GET_INTERFACE = 10, SET_INTERFACE = 11,
    SET_LINE_CODING = 0x20, GET_LINE_CODING = 0x21, SET_CONTROL_LINE_STATE = 0x22,
};
enum { HOST_TO_DEVICE = 0x00, DEVICE_TO_HOST = 0x80, CLASS = 0x20, OF_INTERFACE = 0x01, OF_ENDPOINT = 0x02 };
enum { ENDPOINT_HALT = 0, DTR = 0x01 };
enum { TYPE_CONTROL = 0x00, TYPE_BULK_OUT = 0x80, TYPE_BULK_IN = 0x81, TYPE_INTERRUPT_IN = 0xC1 };  /* UECFG0X */
enum { SIZE_16 = 0x10, SIZE_64 = 0x30 };                                                              /* UECFG1X */

struct setup {
    uint8_t type, request;
    uint16_t value, index, length;
};

/* Where a control transfer stands. The unit sends on its own what has been put into the bank; what remains to be done waits
 * here for the next usb_poll. */
enum stage { NOTHING, DATA_IN, DATA_OUT, STATUS_DUE, STATUS_SENT };

static struct {
    enum stage stage;
    const uint8_t *flash;       /* what is to be sent: from flash, or from `bytes` if that is null */
    uint8_t bytes[8];
    uint8_t sent, left;
    bool end_with_short;        /* the host asked for more than there is: it needs a packet that is not full */
    uint8_t address;            /* takes effect after the status stage */
} control;

static struct {
    uint32_t baud;
    uint8_t stop_bits, parity, data_bits;
} __attribute__((packed)) coding = { 115200, 0, 0, 8 };

static uint8_t configured;
static bool line_open, host_gone, empty_packet_due;

/* UEINTX is acknowledged by writing 0; written 1 changes nothing, but in an IN endpoint the bit of RXOUTI is called KILLBK and
 * a 1 there throws a packet away. */
static void acknowledge(uint8_t bits)
{
    UEINTX = (uint8_t)~bits;
}

static void set_up_endpoint(uint8_t number, uint8_t type, uint8_t size)
{
    UENUM = number;
    UECONX = _BV(EPEN);
    UECFG0X = type;
    UECFG1X = (uint8_t)(size | _BV(ALLOC));
}

static void close_line(void)
{
    if (line_open)
        host_gone = true;
    line_open = false;
}

static void configure(uint8_t value)
{
    close_line();
    configured = value;
    empty_packet_due = false;
    if (value == 0)
        return;
    set_up_endpoint(ENDPOINT_NOTIFY, TYPE_INTERRUPT_IN, SIZE_16);
    set_up_endpoint(ENDPOINT_OUT, TYPE_BULK_OUT, SIZE_64);
    set_up_endpoint(ENDPOINT_IN, TYPE_BULK_IN, SIZE_64);
    UERST = _BV(ENDPOINT_NOTIFY) | _BV(ENDPOINT_OUT) | _BV(ENDPOINT_IN);
    UERST = 0;
}

void usb_begin(void)
{
    USBCON = 0;                                             /* the boot loader may have left it attached */
    UDCON = _BV(DETACH);
    UHWCON = _BV(UVREGE);
    USBCON = _BV(USBE) | _BV(FRZCLK);
    PLLFRQ = _BV(PDIV2);                                    /* 48 MHz, and USB takes it as it is */
    PLLCSR = F_CPU == 16000000 ? _BV(PINDIV) : 0;           /* the PLL wants 8 MHz */
    PLLCSR |= _BV(PLLE);
    while (!(PLLCSR & _BV(PLOCK)))
        ;
    USBCON = _BV(USBE) | _BV(OTGPADE);
    UDIEN = 0;
    UDINT = 0;
    UDCON = 0;                                              /* full speed, attached */
}

static void answer(const uint8_t *flash, uint8_t size, const struct setup *setup)
{
    control.flash = flash;
    control.sent = 0;
    control.left = (uint8_t)(size < setup->length ? size : setup->length);
    control.end_with_short = size < setup->length;
    control.stage = setup->length > 0 ? DATA_IN : STATUS_DUE;
}

static void answer_bytes(const void *bytes, uint8_t size, const struct setup *setup)
{
    memcpy(control.bytes, bytes, size);
    answer(0, size, setup);
}

static bool answer_descriptor(const struct setup *setup)
{
    const uint8_t *address;
    uint8_t size = descriptor(setup->value, &address);
    if (size == 0)
        return false;
    answer(address, size, setup);
    return true;
}

static void answer_status(const struct setup *setup)
{
    uint8_t status[2] = { 0, 0 };
    uint8_t endpoint = setup->index & 0x0F;
    if ((setup->type & OF_ENDPOINT) && endpoint <= ENDPOINT_IN) {
        UENUM = endpoint;
        status[0] = (UECONX & _BV(STALLRQ)) != 0;
        UENUM = ENDPOINT_CONTROL;
    }
    answer_bytes(status, sizeof status, setup);
}

static bool halt_endpoint(const struct setup *setup, bool halt)
{
    uint8_t endpoint = setup->index & 0x0F;
    if (setup->value != ENDPOINT_HALT || endpoint == ENDPOINT_CONTROL || endpoint > ENDPOINT_IN)
        return false;
    UENUM = endpoint;
    UECONX = halt ? _BV(STALLRQ) | _BV(EPEN) : _BV(STALLRQC) | _BV(RSTDT) | _BV(EPEN);
    UENUM = ENDPOINT_CONTROL;
    control.stage = STATUS_DUE;
    return true;
}

static bool standard_request(const struct setup *setup)
{
    static const uint8_t zero = 0;
    switch (setup->request) {
    case GET_STATUS:
        answer_status(setup);
        return true;
    case CLEAR_FEATURE:
    case SET_FEATURE:
        return setup->type == (HOST_TO_DEVICE | OF_ENDPOINT) && halt_endpoint(setup, setup->request == SET_FEATURE);
    case SET_ADDRESS:
        control.address = setup->value & 0x7F;
        UDADDR = control.address;
        control.stage = STATUS_DUE;
        return true;
    case GET_DESCRIPTOR:
        return answer_descriptor(setup);
    case GET_CONFIGURATION:
        answer_bytes(&configured, 1, setup);
        return true;
    case SET_CONFIGURATION:
        if (setup->value > 1)
            return false;
        configure((uint8_t)setup->value);
        UENUM = ENDPOINT_CONTROL;
        control.stage = STATUS_DUE;
        return true;
    case GET_INTERFACE:
        answer_bytes(&zero, 1, setup);
        return true;
    case SET_INTERFACE:
        control.stage = STATUS_DUE;
        return setup->value == 0;
    default:
        return false;
    }
}

static bool class_request(const struct setup *setup)
{
    switch (setup->request) {
    case SET_LINE_CODING:
        control.stage = DATA_OUT;
        return setup->length == sizeof coding;
    case GET_LINE_CODING:
        answer_bytes(&coding, sizeof coding, setup);
        return true;
    case SET_CONTROL_LINE_STATE:
        if (setup->value & DTR)
            line_open = true;
        else
            close_line();
        control.stage = STATUS_DUE;
        return true;
    default:
        return false;
    }
}

static uint8_t take_byte(void)
{
    return UEDATX;
}

static uint16_t take_word(void)
{
    uint8_t low = UEDATX;
    return (uint16_t)(low | UEDATX << 8);
}

static void take_setup(void)
{
    struct setup setup;
    setup.type = take_byte();
    setup.request = take_byte();
    setup.value = take_word();
    setup.index = take_word();
    setup.length = take_word();
    control.stage = NOTHING;
    control.address = 0;
    acknowledge(_BV(RXSTPI) | _BV(RXOUTI));
    bool known = false;
    if (setup.type == (HOST_TO_DEVICE | CLASS | OF_INTERFACE) || setup.type == (DEVICE_TO_HOST | CLASS | OF_INTERFACE))
        known = class_request(&setup);
    else if ((setup.type & 0x60) == 0)
        known = standard_request(&setup);
    if (!known) {
        control.stage = NOTHING;
        UECONX = _BV(STALLRQ) | _BV(EPEN);
    }
}

static void send_data_packet(void)
{
    uint8_t size = (uint8_t)(control.left < CONTROL_SIZE ? control.left : CONTROL_SIZE);
    for (uint8_t i = 0; i < size; i++, control.sent++)
        UEDATX = control.flash ? pgm_read_byte(control.flash + control.sent) : control.bytes[control.sent];
    control.left = (uint8_t)(control.left - size);
    if (size < CONTROL_SIZE)
        control.end_with_short = false;
    acknowledge(_BV(TXINI));
}

static void take_line_coding(void)
{
    uint8_t *bytes = (uint8_t *)&coding;
    for (uint8_t i = 0; i < sizeof coding; i++)
        bytes[i] = UEDATX;
    acknowledge(_BV(RXOUTI));
    control.stage = STATUS_DUE;
}

static void go_on(void)
{
    uint8_t flags = UEINTX;
    if (control.stage == DATA_IN) {
        if (flags & _BV(RXOUTI)) {                      /* the host's status packet: it has what it wanted */
            acknowledge(_BV(RXOUTI));
            control.stage = NOTHING;
        } else if ((flags & _BV(TXINI)) && (control.left > 0 || control.end_with_short)) {
            send_data_packet();
        }
    } else if (control.stage == DATA_OUT && (flags & _BV(RXOUTI))) {
        take_line_coding();
    } else if (control.stage == STATUS_DUE && (flags & _BV(TXINI))) {
        acknowledge(_BV(TXINI));
        control.stage = STATUS_SENT;
    } else if (control.stage == STATUS_SENT && (flags & _BV(TXINI))) {
        if (control.address)
            UDADDR = (uint8_t)(control.address | _BV(ADDEN));
        control.stage = NOTHING;
    }
}

void usb_poll(void)
{
    if (UDINT & _BV(EORSTI)) {
        UDINT = 0;
        UDADDR = 0;
        configure(0);
        control.stage = NOTHING;
        set_up_endpoint(ENDPOINT_CONTROL, TYPE_CONTROL, SIZE_64);
    }
    UENUM = ENDPOINT_CONTROL;
    if (UEINTX & _BV(RXSTPI))
        take_setup();
    go_on();
}

bool usb_receive(uint8_t *byte)
{
    if (!configured)
        return false;
    UENUM = ENDPOINT_OUT;
    uint8_t flags = UEINTX;
    if (flags & _BV(RWAL)) {
        *byte = UEDATX;
        return true;
    }
    if (flags & _BV(RXOUTI))
        acknowledge(_BV(RXOUTI) | _BV(FIFOCON));        /* read to its end: the next packet may come */
    return false;
}

uint16_t usb_send(const uint8_t *bytes, uint16_t count)
{
    if (!configured || (count == 0 && !empty_packet_due))
        return 0;
    UENUM = ENDPOINT_IN;
    if (!(UEINTX & _BV(TXINI)))
        return 0;
    uint8_t size = (uint8_t)(count < BULK_SIZE ? count : BULK_SIZE);
    for (uint8_t i = 0; i < size; i++)
        UEDATX = bytes[i];
    acknowledge(_BV(TXINI) | _BV(FIFOCON) | _BV(RXOUTI));
    empty_packet_due = size == BULK_SIZE;
    return size;
}

bool usb_host_gone(void)
{
    bool gone = host_gone;
    host_gone = false;
    return gone;
}

uint32_t usb_baud(void)
{
    return coding.baud;
}
