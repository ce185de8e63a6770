/* The bridge: frames from the USB serial line go to the chip, the chip's frames go to the USB serial line.
 *
 *              command written                 chip's ACK                     chip's answer
 *   IDLE ---------------------> AWAITING_ACK ------------> AWAITING_ANSWER --------------------> IDLE
 *
 * In every state a complete frame from the host comes first: a new command replaces the old one, an ACK aborts it (-> IDLE),
 * a NACK asks for the last answer again (-> AWAITING_ANSWER). Waiting for an answer has no end of its own: how long a command
 * may take is the host's affair. When the chip is lost while something is awaited, the host gets the chip's own error frame
 * (00 00 FF 01 FF 7F 81 00) instead of an ACK or answer, so that it need not wait for its time limit.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "frame.h"

enum {
    HOST_SILENCE_MS = 200,      /* an unfinished frame is given up after this long without a byte */
    WRITE_TRIES = 12,           /* a chip that wakes up may not acknowledge its address at first */
    ACK_LIMIT_MS = 500,         /* the chip acknowledges a command within a few milliseconds */
    LOST_LIMIT_MS = 500,        /* no acknowledge of the chip's address for this long: it is gone */
    GARBAGE_LIMIT = 3,          /* unreadable answers in a row, each repeated at our request */
};

enum bridge_state { BRIDGE_IDLE, BRIDGE_AWAITING_ACK, BRIDGE_AWAITING_ANSWER };

struct bridge {
    enum bridge_state state;
    struct frame_parser host;   /* what comes from USB */
    uint8_t write_tries;        /* failed attempts at writing the host's frame */
    uint8_t garbage;            /* unreadable frames from the chip since the last readable one */
    bool ask_again;             /* a NACK is to be written to the chip */
    bool lost;                  /* the chip has not acknowledged since lost_since */
    bool fault;                 /* the last command ended because of the bus or the chip */
    uint16_t host_heard;        /* times in ms of a clock that wraps */
    uint16_t command_written;
    uint16_t lost_since;
    uint8_t output[FRAME_MAX];  /* what goes to USB: output_from up to output_to */
    uint16_t output_from, output_to;
};

void bridge_reset(struct bridge *bridge, uint16_t now);

/* False while a frame from the host waits for the bus: then the host has to wait too. */
bool bridge_takes(struct bridge *bridge);

/* Takes a byte from the host, after bridge_takes has said true. */
void bridge_put(struct bridge *bridge, uint8_t byte, uint16_t now);

/* Bytes for the host, and how many of them have gone. */
uint16_t bridge_output(const struct bridge *bridge, const uint8_t **bytes);
void bridge_output_sent(struct bridge *bridge, uint16_t count);

/* Does what is due: at most one transaction on the bus. To be called all the time. */
void bridge_step(struct bridge *bridge, uint16_t now);

/* The host has closed the line: a command in progress is aborted, everything unsent is forgotten. */
void bridge_host_gone(struct bridge *bridge, uint16_t now);

#endif
