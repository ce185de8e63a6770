/* The microcontroller's USB unit as a CDC-ACM serial line. Without interrupts: usb_poll has to be called all the time. */
#ifndef USB_H
#define USB_H

#include <stdbool.h>
#include <stdint.h>

void usb_begin(void);

/* Answers the bus reset and control requests. Touches no bulk data, so that it may be called from anywhere. */
void usb_poll(void);

/* The next byte from the host; false if there is none. */
bool usb_receive(uint8_t *byte);

/* Sends one packet of up to `count` bytes; how many were taken (0 while the last one has not been fetched). To be called
 * with 0 when nothing is left to send, too: a transfer whose last packet is full is then ended by an empty one. */
uint16_t usb_send(const uint8_t *bytes, uint16_t count);

/* True once after the host has closed the line (DTR off), or the bus was reset or unconfigured while the line was open. */
bool usb_host_gone(void);

/* The speed the host has set. It has no meaning here, but 1200 at the closing of the line asks for the boot loader. */
uint32_t usb_baud(void);

#endif
