#include "descriptors.h"

#include <avr/pgmspace.h>

/* 1209:0001 is pid.codes' identifier for tests within one's own walls. A device that is given to others needs its own. */
#define VENDOR 0x1209
#define PRODUCT 0x0001
#define RELEASE 0x0100
#ifndef SERIAL
#define SERIAL "0001"
#endif

#define WORD(x) ((x) & 0xFF), ((x) >> 8)

enum { DEVICE = 1, CONFIGURATION = 2, STRING = 3, INTERFACE = 4, ENDPOINT = 5, CLASS_INTERFACE = 0x24 };
enum { BULK = 2, INTERRUPT = 3, IN = 0x80 };
enum { CDC = 2, CDC_ACM = 2, CDC_DATA = 10 };
enum { NAME_NONE, NAME_MAKER, NAME_PRODUCT, NAME_SERIAL };
enum { CONFIGURATION_SIZE = 9 + 9 + 5 + 5 + 4 + 5 + 7 + 9 + 7 + 7 };

static const uint8_t device[] PROGMEM = {
    18, DEVICE, WORD(0x0200),
    CDC, 0, 0, CONTROL_SIZE,
    WORD(VENDOR), WORD(PRODUCT), WORD(RELEASE),
    NAME_MAKER, NAME_PRODUCT, NAME_SERIAL,
    1,                                              /* configurations */
};

static const uint8_t configuration[] PROGMEM = {
    9, CONFIGURATION, WORD(CONFIGURATION_SIZE), 2, 1, NAME_NONE,
    0x80, 200 / 2,                                  /* powered by the bus, 200 mA: the chip's field takes up to 150 mA */

    9, INTERFACE, 0, 0, 1, CDC, CDC_ACM, 0, NAME_NONE,
    5, CLASS_INTERFACE, 0x00, WORD(0x0110),         /* header: CDC 1.10 */
    5, CLASS_INTERFACE, 0x01, 0x00, 1,              /* no call management */
    4, CLASS_INTERFACE, 0x02, 0x02,                 /* ACM: line coding and line state */
    5, CLASS_INTERFACE, 0x06, 0, 1,                 /* union of interfaces 0 and 1 */
    7, ENDPOINT, IN | ENDPOINT_NOTIFY, INTERRUPT, WORD(NOTIFY_SIZE), 255,

    9, INTERFACE, 1, 0, 2, CDC_DATA, 0, 0, NAME_NONE,
    7, ENDPOINT, ENDPOINT_OUT, BULK, WORD(BULK_SIZE), 0,
    7, ENDPOINT, IN | ENDPOINT_IN, BULK, WORD(BULK_SIZE), 0,
};
_Static_assert(sizeof configuration == CONFIGURATION_SIZE, "wTotalLength");

/* A string descriptor is a size, a type and UTF-16 without an end. The size counts two bytes for its head and leaves the
 * literal's terminating zero out: so it is just sizeof the literal. */
#define UTF16(text) UTF16_(text)
#define UTF16_(text) u##text
#define TEXT(name, value) \
    static const struct { uint8_t size, type; __CHAR16_TYPE__ text[sizeof(UTF16(value)) / 2]; } name PROGMEM = \
        { sizeof(UTF16(value)), STRING, UTF16(value) }

TEXT(maker, "SRUP observer");
TEXT(product, "SRUP PN532 bridge");
TEXT(serial, SERIAL);
static const uint8_t languages[] PROGMEM = { 4, STRING, WORD(0x0409) };

uint8_t descriptor(uint16_t value, const uint8_t **address)
{
    static const struct { uint8_t type, index; const void *address; } table[] = {
        { DEVICE, 0, device },
        { CONFIGURATION, 0, configuration },
        { STRING, NAME_NONE, languages },
        { STRING, NAME_MAKER, &maker },
        { STRING, NAME_PRODUCT, &product },
        { STRING, NAME_SERIAL, &serial },
    };
    for (uint8_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].type != value >> 8 || table[i].index != (value & 0xFF))
            continue;
        *address = table[i].address;
        return table[i].type == CONFIGURATION ? CONFIGURATION_SIZE : pgm_read_byte(*address);
    }
    return 0;
}
