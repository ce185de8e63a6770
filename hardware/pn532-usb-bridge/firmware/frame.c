#include "frame.h"

#include <string.h>

enum {
    LENGTH_AT = 3,
    NORMAL_HEADER = 5,
    EXTENDED_HEADER = 8,
    TRAILER = 2,        /* DCS and postamble */
};

static uint8_t sum(const uint8_t *bytes, uint16_t count)
{
    uint8_t total = 0;
    while (count--)
        total = (uint8_t)(total + *bytes++);
    return total;
}

static enum frame_state judge_short(enum frame_kind kind, uint16_t count, struct frame_view *view)
{
    view->kind = kind;
    view->size = FRAME_SHORT;
    return count < FRAME_SHORT ? FRAME_INCOMPLETE : FRAME_COMPLETE;
}

static enum frame_state judge_information(const uint8_t *bytes, uint16_t count, uint8_t header, uint16_t length,
                                          struct frame_view *view)
{
    if (length == 0)
        return FRAME_BROKEN;
    if (length > FRAME_LENGTH_MAX)
        return FRAME_TOO_LONG;
    view->kind = FRAME_INFORMATION;
    view->size = (uint16_t)(header + length + TRAILER);
    if (count < view->size)
        return FRAME_INCOMPLETE;
    return sum(bytes + header, (uint16_t)(length + 1)) == 0 ? FRAME_COMPLETE : FRAME_BROKEN;
}

enum frame_state frame_judge(const uint8_t *bytes, uint16_t count, struct frame_view *view)
{
    static const uint8_t start[LENGTH_AT] = { 0x00, 0x00, 0xFF };
    view->size = 0;
    if (memcmp(bytes, start, count < LENGTH_AT ? count : LENGTH_AT) != 0)
        return FRAME_BROKEN;
    if (count < NORMAL_HEADER)
        return FRAME_INCOMPLETE;
    uint8_t length = bytes[LENGTH_AT], check = bytes[LENGTH_AT + 1];
    if (length == 0x00 && check == 0xFF)
        return judge_short(FRAME_ACK, count, view);
    if (length == 0xFF && check == 0x00)
        return judge_short(FRAME_NACK, count, view);
    if (length != 0xFF || check != 0xFF) {
        if ((uint8_t)(length + check) != 0)
            return FRAME_BROKEN;
        return judge_information(bytes, count, NORMAL_HEADER, length, view);
    }
    if (count < EXTENDED_HEADER)
        return FRAME_INCOMPLETE;
    if (sum(bytes + NORMAL_HEADER, EXTENDED_HEADER - NORMAL_HEADER) != 0)
        return FRAME_BROKEN;
    return judge_information(bytes, count, EXTENDED_HEADER, (uint16_t)(bytes[5] << 8 | bytes[6]), view);
}

void frame_parser_reset(struct frame_parser *parser)
{
    parser->bytes[0] = 0x00;
    parser->count = 1;
    parser->skip = 0;
}

bool frame_parser_is_empty(const struct frame_parser *parser)
{
    return parser->count == 1 && parser->skip == 0;
}

void frame_parser_put(struct frame_parser *parser, uint8_t byte)
{
    if (parser->skip > 0)
        parser->skip--;
    else if (parser->count < FRAME_MAX)
        parser->bytes[parser->count++] = byte;
}

/* Removes `n` bytes behind the parser's own preamble byte. */
static void remove_front(struct frame_parser *parser, uint16_t n)
{
    parser->count = (uint16_t)(parser->count - n);
    memmove(parser->bytes + 1, parser->bytes + 1 + n, (uint16_t)(parser->count - 1));
}

/* Removes everything in front of the next start code 00 FF, or of a last 00 that may become one.
 * The wake-up preamble 55 55 00 00 ... and any garbage end here. */
static void remove_garbage(struct frame_parser *parser)
{
    uint16_t at = 1;
    while (at < parser->count) {
        bool last = at + 1 == parser->count;
        if (parser->bytes[at] == 0x00 && (last || parser->bytes[at + 1] == 0xFF))
            break;
        at++;
    }
    if (at > 1)
        remove_front(parser, (uint16_t)(at - 1));
}

/* The data of a frame that is too long must not be searched for frames: it is not the host's own words, but whatever it was
 * handed. So it is counted off. */
static void skip_too_long(struct frame_parser *parser)
{
    uint16_t length = (uint16_t)(parser->bytes[5] << 8 | parser->bytes[6]);
    uint16_t held = (uint16_t)(parser->count - EXTENDED_HEADER);
    uint16_t rest = length > UINT16_MAX - TRAILER ? UINT16_MAX : (uint16_t)(length + TRAILER);
    uint16_t now = held < rest ? held : rest;
    remove_front(parser, (uint16_t)(EXTENDED_HEADER - 1 + now));
    parser->skip = (uint16_t)(rest - now);
}

bool frame_parser_next(struct frame_parser *parser, struct frame_view *view)
{
    for (;;) {
        remove_garbage(parser);
        if (parser->count == 1)
            return false;
        switch (frame_judge(parser->bytes, parser->count, view)) {
        case FRAME_COMPLETE:
            return true;
        case FRAME_INCOMPLETE:
            return false;
        case FRAME_TOO_LONG:
            skip_too_long(parser);
            break;
        case FRAME_BROKEN:
            /* Only the start code goes: a right frame may have begun inside the wrong one. */
            remove_front(parser, LENGTH_AT - 1);
            break;
        }
    }
}

void frame_parser_drop(struct frame_parser *parser, const struct frame_view *view)
{
    remove_front(parser, (uint16_t)(view->size - 1));
}

void frame_parser_give_up(struct frame_parser *parser)
{
    parser->skip = 0;
    remove_front(parser, parser->count < LENGTH_AT ? (uint16_t)(parser->count - 1) : LENGTH_AT - 1);
}
