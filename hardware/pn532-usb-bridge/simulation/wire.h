/* The I2C bus of the simulated microcontroller, and on it the chip at 0x24: a client of a Unix stream socket.
 *
 *   'W' n(2) bytes(n)   one write transaction      answer: status
 *   'R' n(2)            one read transaction       answer: status, and if it is 0, n bytes
 *
 * n is big-endian; status 0 = acknowledged, 1 = no acknowledge. Reading one byte (the ready byte) leaves a frame where it is;
 * reading more when it is ready takes it.
 */
#ifndef WIRE_H
#define WIRE_H

#include "machine.h"

void wire_begin(avr_t *avr, const char *socket_path);

/* From now on SDA is held low, until SCL has been clocked nine times: a chip that was interrupted in mid-byte. */
void wire_stick(void);

/* The I2C unit does not finish its present or next step, until it is switched off and on. */
void wire_stall(void);

#endif
