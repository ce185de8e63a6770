/* The I2C bus as the bridge sees it: the PN532 at its one address. Implemented by twi.c on the microcontroller and by the
 * tests on the host. Each function returns in bounded time, whatever the bus does; after a failure the bus has been given
 * back to its idle state. */
#ifndef BUS_H
#define BUS_H

#include <stdbool.h>
#include <stdint.h>

enum { BUS_ADDRESS = 0x24 };    /* of the PN532, 7 bits */

/* True if the last transaction is long enough ago for the chip to take the next. */
bool bus_is_free(void);

/* One write transaction. False: no acknowledge of the address or of a byte, or the bus is stuck. */
bool bus_write(const uint8_t *bytes, uint16_t count);

/* A read transaction: begin, bytes of which the one marked `last` is not acknowledged, end. Nothing needs to be ended after
 * false. */
bool bus_read_begin(void);
bool bus_read_byte(uint8_t *byte, bool last);
void bus_read_end(void);

#endif
