/* Control transfers, bulk packets and the bus reset, by simavr's USB ioctls. */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdbool.h>

#include "machine.h"

enum { PACKET = 64 };

struct request {
    uint8_t type, number;
    uint16_t value, index, length;
};

void usb_attach_notify(avr_t *avr, bool *attached);
void usb_bus_reset(avr_t *avr);

/* The bytes transferred, or negative: -1 the device refuses (STALL), -2 it does not answer within a second. */
int usb_control(avr_t *avr, struct request request, uint8_t *bytes);

/* True if the device took the packet. */
bool usb_out(avr_t *avr, uint8_t endpoint, const uint8_t *bytes, unsigned count);

/* The size of the packet the device sent (0 is an empty one), -1 if it sent none. */
int usb_in(avr_t *avr, uint8_t endpoint, uint8_t bytes[PACKET]);

uint8_t usb_address(const avr_t *avr);

#endif
