/* Frames of the PN532 host link (PN532 user manual UM0701-02, section 6.2.1) and a parser for a stream of them.
 *
 *   normal     00 00 FF LEN LCS              TFI PD0 ... PDn DCS 00     LEN + LCS = 0 (modulo 256)
 *   extended   00 00 FF FF FF LENM LENL LCS  TFI PD0 ... PDn DCS 00     LENM + LENL + LCS = 0
 *   ACK        00 00 FF 00 FF 00
 *   NACK       00 00 FF FF 00 00
 *
 * LEN counts TFI and PD0 to PDn. TFI, PD0 to PDn and DCS add up to 0 (modulo 256).
 * Nothing in here knows a register of the microcontroller: the same files are tested on the host.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum {
    FRAME_LENGTH_MAX = 265,                        /* TFI and 264 bytes: the longest the chip takes */
    FRAME_MAX = 8 + FRAME_LENGTH_MAX + 2,          /* extended header, data, DCS, postamble */
    FRAME_SHORT = 6,                               /* ACK and NACK */
};

enum frame_kind { FRAME_ACK, FRAME_NACK, FRAME_INFORMATION };

/* What can be said about a frame of which only the first bytes are known. */
enum frame_state {
    FRAME_INCOMPLETE,   /* right so far */
    FRAME_COMPLETE,     /* all there, checksums right */
    FRAME_TOO_LONG,     /* a right header, but more data than FRAME_LENGTH_MAX */
    FRAME_BROKEN,       /* wrong start, wrong length checksum or wrong data checksum */
};

struct frame_view {
    enum frame_kind kind;
    uint16_t size;      /* of the whole frame, from first preamble byte to postamble; 0 while it is not known */
};

/* Judges `count` bytes that should begin with 00 00 FF. */
enum frame_state frame_judge(const uint8_t *bytes, uint16_t count, struct frame_view *view);

/* The parser holds at most one frame and what follows it. `bytes` always begins with a preamble byte that it wrote itself:
 * senders may leave out theirs, and a frame is handed on as one contiguous array. */
struct frame_parser {
    uint8_t bytes[FRAME_MAX];
    uint16_t count;     /* bytes in use; 1 (the preamble) when nothing is held */
    uint16_t skip;      /* bytes of a frame that is too long, still to be thrown away */
};

void frame_parser_reset(struct frame_parser *parser);

/* True if nothing has been received of which the end is missing. */
bool frame_parser_is_empty(const struct frame_parser *parser);

/* Takes one byte in. Only to be called while frame_parser_next says false: then there is always room. */
void frame_parser_put(struct frame_parser *parser, uint8_t byte);

/* Throws away what cannot become a frame; true if a complete frame then stands at the beginning of `bytes`. */
bool frame_parser_next(struct frame_parser *parser, struct frame_view *view);

/* Removes the complete frame. */
void frame_parser_drop(struct frame_parser *parser, const struct frame_view *view);

/* The line has been silent for too long: the first unfinished frame will not be finished. What was received after its start
 * code is looked at again, so that an ACK or a frame that came after a torn one is not lost with it. */
void frame_parser_give_up(struct frame_parser *parser);

#endif
