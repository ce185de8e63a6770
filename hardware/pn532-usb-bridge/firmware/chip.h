/* Reading a frame from the PN532 by I2C (UM0701-02, section 6.2.4).
 *
 *   not ready   S 24+R  00 00 P
 *   ready       S 24+R  01  00 00 FF LEN LCS ... DCS 00 P
 *
 * A frame that has begun to be read is gone from the chip (unless the host sends a NACK), so it is read in the transaction
 * in which the ready byte was seen, and its length is taken from the header on the way.
 */
#ifndef CHIP_H
#define CHIP_H

#include "frame.h"

enum chip_answer {
    CHIP_NOT_READY,
    CHIP_FRAME,         /* an ACK or an information frame, checksums right */
    CHIP_GARBAGE,       /* ready, but no such frame followed, or it was cut off */
    CHIP_LOST,          /* no acknowledge, or the bus is stuck */
};

/* `bytes` has room for FRAME_MAX. */
enum chip_answer chip_read(uint8_t *bytes, struct frame_view *view);

#endif
