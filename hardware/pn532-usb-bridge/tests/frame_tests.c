/* The parser on literal bytes. */
#include <string.h>

#include "frame.h"
#include "test.h"

static struct frame_parser parser;

/* Feeds bytes and compares the frames that come out, one after another, with `frames`. */
static bool gives(const void *bytes, size_t count, const void *frames, size_t frames_size)
{
    uint8_t out[4096];
    size_t n = 0;
    struct frame_view view;
    for (size_t i = 0; i < count; i++) {
        frame_parser_put(&parser, ((const uint8_t *)bytes)[i]);
        while (frame_parser_next(&parser, &view)) {
            memcpy(out + n, parser.bytes, view.size);
            n += view.size;
            frame_parser_drop(&parser, &view);
        }
    }
    return n == frames_size && memcmp(out, frames, n) == 0;
}

#define BYTES(literal) literal, sizeof(literal) - 1
#define GIVES(bytes, frames) CHECK(gives(BYTES(bytes), BYTES(frames)))

#define ACK "\0\0\xFF\0\xFF\0"
#define NACK "\0\0\xFF\xFF\0\0"
#define GET_VERSION "\0\0\xFF\x02\xFE\xD4\x02\x2A\0"
#define EXTENDED "\0\0\xFF\xFF\xFF\x00\x02\xFE\xD4\x02\x2A\0"
#define WAKE_UP "\x55\x55\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void fresh(void)
{
    frame_parser_reset(&parser);
}

static void frames_come_out_as_they_went_in(void)
{
    fresh();
    GIVES(GET_VERSION, GET_VERSION);
    GIVES(EXTENDED, EXTENDED);
    GIVES(ACK, ACK);
    GIVES(NACK, NACK);
    CHECK(frame_parser_is_empty(&parser));
}

static void frames_back_to_back_are_separated(void)
{
    fresh();
    GIVES(ACK GET_VERSION NACK EXTENDED ACK, ACK GET_VERSION NACK EXTENDED ACK);
}

static void wake_up_preambles_are_swallowed(void)
{
    fresh();
    GIVES(WAKE_UP GET_VERSION, GET_VERSION);
    GIVES("\x55\x55\x55\x55\x55\x55" WAKE_UP WAKE_UP, "");
    GIVES("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" GET_VERSION, GET_VERSION);
}

static void a_missing_preamble_is_put_in_front(void)
{
    fresh();
    GIVES("\x00\xFF\x02\xFE\xD4\x02\x2A\0", GET_VERSION);
}

static void garbage_is_dropped(void)
{
    fresh();
    GIVES("\xFF\xFF\x01\x02\x03\xD4\x02\x2A" GET_VERSION "\x99\x98" ACK, GET_VERSION ACK);
}

static void a_wrong_length_checksum_drops_the_header_only(void)
{
    fresh();
    GIVES("\0\0\xFF\x02\xFD\xD4\x02\x2A\0" GET_VERSION, GET_VERSION);
    GIVES("\0\0\xFF\xFF\xFF\x00\x02\xFD\xD4\x02\x2A\0" GET_VERSION, GET_VERSION);
    GIVES("\0\0\xFF" GET_VERSION, GET_VERSION);     /* 00 00 as length and its checksum */
    GIVES("\0\0\xFF\xFF\xFF" ACK, ACK);             /* an ACK where an extended length should be */
}

static void a_wrong_data_checksum_drops_the_frame(void)
{
    fresh();
    GIVES("\0\0\xFF\x02\xFE\xD4\x02\x2B\0", "");
    GIVES(GET_VERSION, GET_VERSION);
}

static void an_empty_frame_is_dropped(void)
{
    fresh();
    GIVES("\0\0\xFF\x00\x00\x00\x00" GET_VERSION, GET_VERSION);
    GIVES("\0\0\xFF\xFF\xFF\x00\x00\x00\x00\x00" GET_VERSION, GET_VERSION);
}

static void start_codes_inside_a_frame_are_data(void)
{
    fresh();
    GIVES("\0\0\xFF\x08\xF8\xD4\x00\x00\x00\xFF\x00\xFF\x00\x2E\0", "\0\0\xFF\x08\xF8\xD4\x00\x00\x00\xFF\x00\xFF\x00\x2E\0");
}

static void a_torn_frame_gives_way_to_what_came_inside_it(void)
{
    fresh();
    GIVES("\0\0\xFF\x20\xE0\xD4\x00\x01" ACK, "");      /* it still might be data */
    CHECK(!frame_parser_is_empty(&parser));
    frame_parser_give_up(&parser);
    GIVES("", "");
    struct frame_view view;
    CHECK(frame_parser_next(&parser, &view) && view.kind == FRAME_ACK);
    frame_parser_drop(&parser, &view);
    CHECK(!frame_parser_next(&parser, &view));
}

static void giving_up_ends_with_nothing_held(void)
{
    fresh();
    GIVES("\0\0\xFF\x20\xE0\xD4\x00\xFF\x20\xE0\x00\xFF\xFF\xFF\x00\x00\xFF\x02", "");
    for (int i = 0; i < 10 && !frame_parser_is_empty(&parser); i++) {
        struct frame_view view;
        frame_parser_give_up(&parser);
        CHECK(!frame_parser_next(&parser, &view));
    }
    CHECK(frame_parser_is_empty(&parser));
    GIVES(GET_VERSION, GET_VERSION);
}

/* An extended frame with `length` bytes of data, all 0 but TFI, and with its checksums right. */
static size_t extended(uint8_t *frame, uint16_t length)
{
    uint8_t high = (uint8_t)(length >> 8), low = (uint8_t)length;
    const uint8_t head[] = { 0x00, 0x00, 0xFF, 0xFF, 0xFF, high, low, (uint8_t)-(high + low), 0xD4 };
    memset(frame, 0, 8u + length + 2u);
    memcpy(frame, head, sizeof head);
    frame[8 + length] = (uint8_t)-0xD4;
    return 8u + length + 2u;
}

static void the_longest_frame_passes(void)
{
    static uint8_t frame[FRAME_MAX];
    fresh();
    CHECK(extended(frame, FRAME_LENGTH_MAX) == FRAME_MAX);
    CHECK(gives(frame, FRAME_MAX, frame, FRAME_MAX));
}

static void the_data_of_a_frame_that_is_too_long_is_not_searched(void)
{
    static const uint16_t lengths[] = { FRAME_LENGTH_MAX + 1, 300, 1000, 65533, 65534 };
    static uint8_t frame[70000];
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        fresh();
        size_t n = extended(frame, lengths[i]);
        memcpy(frame + 20, BYTES(GET_VERSION));
        CHECK(gives(frame, n > 65543 ? 65543 : n, "", 0));
        frame_parser_give_up(&parser);
        GIVES(ACK, ACK);
    }
    fresh();
    CHECK(gives(frame, extended(frame, 300), "", 0));
    GIVES(GET_VERSION, GET_VERSION);                    /* counted off exactly: no silence needed */
}

static void silence_ends_a_frame_that_is_too_long(void)
{
    fresh();
    GIVES("\0\0\xFF\xFF\xFF\xFF\x00\x01\xD4\x00", "");
    GIVES(GET_VERSION, "");
    frame_parser_give_up(&parser);
    GIVES(GET_VERSION, GET_VERSION);
}

static void bytes_the_chip_sends_are_judged_without_searching(void)
{
    struct frame_view view;
    CHECK(frame_judge((const uint8_t *)"\0\0\xFF\x02", 4, &view) == FRAME_INCOMPLETE && view.size == 0);
    CHECK(frame_judge((const uint8_t *)"\0\0\xFF\x02\xFE", 5, &view) == FRAME_INCOMPLETE && view.size == 9);
    CHECK(frame_judge((const uint8_t *)GET_VERSION, 9, &view) == FRAME_COMPLETE && view.kind == FRAME_INFORMATION);
    CHECK(frame_judge((const uint8_t *)"\0\xFF", 2, &view) == FRAME_BROKEN);
    CHECK(frame_judge((const uint8_t *)"\x01", 1, &view) == FRAME_BROKEN);
    CHECK(frame_judge((const uint8_t *)"", 0, &view) == FRAME_INCOMPLETE);
}

int main(void)
{
    RUN(frames_come_out_as_they_went_in);
    RUN(frames_back_to_back_are_separated);
    RUN(wake_up_preambles_are_swallowed);
    RUN(a_missing_preamble_is_put_in_front);
    RUN(garbage_is_dropped);
    RUN(a_wrong_length_checksum_drops_the_header_only);
    RUN(a_wrong_data_checksum_drops_the_frame);
    RUN(an_empty_frame_is_dropped);
    RUN(start_codes_inside_a_frame_are_data);
    RUN(a_torn_frame_gives_way_to_what_came_inside_it);
    RUN(giving_up_ends_with_nothing_held);
    RUN(the_longest_frame_passes);
    RUN(the_data_of_a_frame_that_is_too_long_is_not_searched);
    RUN(silence_ends_a_frame_that_is_too_long);
    RUN(bytes_the_chip_sends_are_judged_without_searching);
    return 0;
}
