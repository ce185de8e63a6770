/* What the device says about itself (USB 2.0 chapter 9, CDC 1.2, PSTN 1.2), in flash. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

#include <stdint.h>

enum {
    ENDPOINT_CONTROL = 0,
    ENDPOINT_NOTIFY = 1,    /* interrupt IN: a serial device has to have it; nothing is ever sent here */
    ENDPOINT_OUT = 2,       /* bulk, host to chip */
    ENDPOINT_IN = 3,        /* bulk, chip to host */

    CONTROL_SIZE = 64,
    NOTIFY_SIZE = 16,
    BULK_SIZE = 64,
};

/* The descriptor that GET_DESCRIPTOR's wValue (type, index) names, in flash; its size, 0 if there is none. */
uint8_t descriptor(uint16_t value, const uint8_t **address);

#endif
