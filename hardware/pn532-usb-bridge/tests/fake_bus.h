/* A bus with a chip on it, for tests of the bridge's logic. It also watches the master: the mistakes it counts would disturb a
 * real bus. */
#ifndef FAKE_BUS_H
#define FAKE_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FAKE_MESSAGES = 16, FAKE_MESSAGE_SIZE = 400 };

struct message { uint8_t bytes[FAKE_MESSAGE_SIZE]; size_t size; };

struct fake_bus {
    bool absent;                    /* no acknowledge of the address */
    bool busy;                      /* the time after a STOP is not over */
    size_t fail_after;              /* a read fails after this many bytes, if it is not 0 */
    uint8_t filler;                 /* what is read behind a message's end */

    struct message says[FAKE_MESSAGES];     /* read next; each begins with its ready byte */
    size_t says_count;
    bool says_for_ever;             /* the first of them is read again and again */

    struct message written[FAKE_MESSAGES];  /* the last ones the chip was sent */
    size_t written_count;
    size_t reads;                   /* read transactions begun */
    size_t bytes_read;              /* in the last one, with the ready byte */
    size_t mistakes;                /* of the master */
};

extern struct fake_bus fake_bus;

void fake_bus_reset(void);

/* The chip is ready and gives this frame when it is read. */
void fake_bus_says(const void *frame, size_t size);

#endif
