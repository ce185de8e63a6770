/* The bridge between literal host bytes and a fake bus. */
#include <string.h>

#include "bridge.h"
#include "fake_bus.h"
#include "test.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define ACK "\0\0\xFF\0\xFF\0"
#define NACK "\0\0\xFF\xFF\0\0"
#define GET_VERSION "\0\0\xFF\x02\xFE\xD4\x02\x2A\0"
#define VERSION "\0\0\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\0"
#define BAD_VERSION "\0\0\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE9\0"
#define ERROR "\0\0\xFF\x01\xFF\x7F\x81\0"

static struct bridge bridge;
static uint16_t now;
static uint8_t heard[1024];
static size_t heard_count;

/* The time wraps early in every test. */
static void fresh(void)
{
    now = 65500;
    heard_count = 0;
    fake_bus_reset();
    bridge_reset(&bridge, now);
}

static void listen(void)
{
    const uint8_t *bytes;
    uint16_t n = bridge_output(&bridge, &bytes);
    CHECK(heard_count + n <= sizeof heard);
    memcpy(heard + heard_count, bytes, n);
    heard_count += n;
    bridge_output_sent(&bridge, n);
}

static void pass(int ms)
{
    while (ms-- > 0) {
        bridge_step(&bridge, now++);
        listen();
    }
    CHECK(fake_bus.mistakes == 0);
}

static void say(const void *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        while (!bridge_takes(&bridge))
            pass(1);
        bridge_put(&bridge, ((const uint8_t *)bytes)[i], now);
    }
}

static bool heard_is(const void *bytes, size_t count)
{
    bool same = heard_count == count && memcmp(heard, bytes, count) == 0;
    heard_count = 0;
    return same;
}

/* The chip was sent these frames and nothing else since the last time. */
static bool written_is(const void *bytes, size_t count)
{
    uint8_t all[FAKE_MESSAGES * FAKE_MESSAGE_SIZE];
    size_t n = 0;
    for (size_t i = 0; i < fake_bus.written_count; i++) {
        memcpy(all + n, fake_bus.written[i].bytes, fake_bus.written[i].size);
        n += fake_bus.written[i].size;
    }
    fake_bus.written_count = 0;
    return n == count && memcmp(all, bytes, n) == 0;
}

static void command_acknowledged(void)
{
    fresh();
    say(BYTES(GET_VERSION));
    pass(2);
    CHECK(written_is(BYTES(GET_VERSION)));
    fake_bus_says(BYTES(ACK));
    pass(2);
    CHECK(heard_is(BYTES(ACK)));
    CHECK(bridge.state == BRIDGE_AWAITING_ANSWER);
}

static void a_command_its_ack_and_its_answer_pass(void)
{
    command_acknowledged();
    pass(1000);
    fake_bus_says(BYTES(VERSION));
    pass(2);
    CHECK(heard_is(BYTES(VERSION)));
    CHECK(bridge.state == BRIDGE_IDLE && !bridge.fault);
}

static void a_read_ends_with_the_last_byte_of_the_frame(void)
{
    fresh();
    say(BYTES(GET_VERSION));
    pass(1);
    fake_bus_says(BYTES(ACK));
    pass(1);
    CHECK(fake_bus.bytes_read == 1 + 6);
    fake_bus_says(BYTES(VERSION));
    pass(1);
    CHECK(fake_bus.bytes_read == 1 + 13);
    CHECK(heard_is(BYTES(ACK VERSION)));
}

static void a_chip_that_is_not_ready_costs_two_bytes(void)
{
    fresh();
    say(BYTES(GET_VERSION));
    pass(2);
    CHECK(fake_bus.reads == 1 && fake_bus.bytes_read == 2);
}

static void an_idle_bridge_leaves_the_bus_alone(void)
{
    fresh();
    pass(1000);
    CHECK(fake_bus.reads == 0 && fake_bus.written_count == 0);
}

static void nothing_happens_while_the_bus_is_not_free(void)
{
    fresh();
    fake_bus.busy = true;
    say(BYTES(GET_VERSION));
    pass(10);
    CHECK(!bridge_takes(&bridge) && fake_bus.written_count == 0);
    fake_bus.busy = false;
    pass(1);
    CHECK(bridge_takes(&bridge) && written_is(BYTES(GET_VERSION)));
}

static void an_extended_answer_of_full_length_passes(void)
{
    static uint8_t answer[FRAME_MAX] = { 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0x01, 0x09, 0xF6, 0xD5, 0x01 };
    answer[FRAME_MAX - 2] = (uint8_t)-(0xD5 + 0x01);
    command_acknowledged();
    fake_bus_says(answer, sizeof answer);
    pass(2);
    CHECK(fake_bus.bytes_read == 1 + FRAME_MAX);
    CHECK(heard_is(answer, sizeof answer));
}

static void an_ack_from_the_host_aborts_and_nothing_is_read_any_more(void)
{
    command_acknowledged();
    say(BYTES(ACK));
    pass(2);
    CHECK(written_is(BYTES(ACK)) && bridge.state == BRIDGE_IDLE);
    size_t reads = fake_bus.reads;
    fake_bus_says(BYTES(VERSION));
    pass(100);
    CHECK(fake_bus.reads == reads && heard_is("", 0));
}

static void a_new_command_replaces_the_old_one(void)
{
    command_acknowledged();
    say(BYTES(GET_VERSION));
    pass(1);
    CHECK(written_is(BYTES(GET_VERSION)) && bridge.state == BRIDGE_AWAITING_ACK);
}

static void an_answer_not_yet_sent_is_forgotten_for_a_new_command(void)
{
    command_acknowledged();
    fake_bus_says(BYTES(VERSION));
    bridge_step(&bridge, now);
    bridge_output_sent(&bridge, 5);
    say(BYTES(GET_VERSION));
    pass(2);
    CHECK(heard_is("", 0));
}

static void a_nack_from_the_host_reads_the_answer_again(void)
{
    a_command_its_ack_and_its_answer_pass();
    say(BYTES(NACK));
    pass(1);
    CHECK(written_is(BYTES(NACK)));
    fake_bus_says(BYTES(VERSION));
    pass(1);
    CHECK(heard_is(BYTES(VERSION)));
}

static void the_chip_is_not_read_while_output_waits(void)
{
    fresh();
    say(BYTES(GET_VERSION));
    bridge_step(&bridge, now);
    fake_bus_says(BYTES(ACK));
    fake_bus_says(BYTES(VERSION));
    for (int i = 0; i < 100; i++)
        bridge_step(&bridge, now++);
    CHECK(fake_bus.reads == 1);
    pass(3);
    CHECK(heard_is(BYTES(ACK VERSION)));
}

static void a_damaged_answer_is_asked_for_again_and_then_given_up(void)
{
    command_acknowledged();
    fake_bus_says(BYTES(BAD_VERSION));
    pass(2);
    CHECK(written_is(BYTES(NACK)));
    fake_bus_says(BYTES("\x77\x77\x77"));
    pass(2);
    CHECK(written_is(BYTES(NACK)));
    fake_bus_says(BYTES(VERSION));
    pass(2);
    CHECK(heard_is(BYTES(VERSION)));

    command_acknowledged();
    for (int i = 0; i < GARBAGE_LIMIT; i++)
        fake_bus_says(BYTES(BAD_VERSION));
    pass(10);
    CHECK(heard_is(BYTES(ERROR)) && bridge.state == BRIDGE_IDLE && bridge.fault);
}

static void a_nack_from_the_chip_is_garbage(void)
{
    command_acknowledged();
    fake_bus_says(BYTES(NACK));
    pass(1);
    CHECK(heard_is("", 0));
    pass(1);
    CHECK(written_is(BYTES(NACK)));
}

static void an_answer_that_is_too_long_is_not_read_to_its_end(void)
{
    command_acknowledged();
    fake_bus_says(BYTES("\0\0\xFF\xFF\xFF\xFF\x00\x01\xD5"));
    pass(1);
    CHECK(fake_bus.bytes_read == 1 + 8 + 1);
}

static void endless_garbage_ends(void)
{
    fresh();
    fake_bus.filler = 0x5B;
    fake_bus_says(BYTES("\x5B"));
    fake_bus.says_for_ever = true;
    say(BYTES(GET_VERSION));
    pass(20);
    CHECK(heard_is(BYTES(ERROR)) && bridge.state == BRIDGE_IDLE);
}

static void a_read_that_breaks_off_is_asked_for_again(void)
{
    command_acknowledged();
    fake_bus_says(BYTES(VERSION));
    fake_bus.fail_after = 7;
    pass(1);
    fake_bus.fail_after = 0;
    pass(1);
    CHECK(written_is(BYTES(NACK)));
    fake_bus_says(BYTES(VERSION));
    pass(1);
    CHECK(heard_is(BYTES(VERSION)));
}

static void a_chip_that_sleeps_is_tried_again(void)
{
    fresh();
    fake_bus.absent = true;
    say(BYTES(GET_VERSION));
    pass(WRITE_TRIES - 1);
    fake_bus.absent = false;
    pass(1);
    CHECK(written_is(BYTES(GET_VERSION)) && heard_is("", 0));
}

static void an_absent_chip_is_an_error(void)
{
    fresh();
    fake_bus.absent = true;
    say(BYTES(GET_VERSION));
    pass(WRITE_TRIES);
    CHECK(heard_is(BYTES(ERROR)) && bridge.state == BRIDGE_IDLE && bridge.fault);
    say(BYTES(ACK));                    /* nobody waits for an answer to an abort */
    pass(WRITE_TRIES + 1);
    CHECK(heard_is("", 0) && bridge_takes(&bridge));
}

static void a_chip_lost_while_it_works_is_an_error(void)
{
    command_acknowledged();
    fake_bus.absent = true;
    pass(LOST_LIMIT_MS);
    CHECK(heard_is("", 0));
    pass(2);
    CHECK(heard_is(BYTES(ERROR)) && bridge.state == BRIDGE_IDLE);
}

static void a_chip_lost_for_a_moment_is_not(void)
{
    command_acknowledged();
    for (int i = 0; i < 10; i++) {
        fake_bus.absent = true;
        pass(LOST_LIMIT_MS / 2);
        fake_bus.absent = false;
        pass(5);
    }
    fake_bus_says(BYTES(VERSION));
    pass(1);
    CHECK(heard_is(BYTES(VERSION)));
}

static void a_command_without_an_ack_is_an_error(void)
{
    fresh();
    say(BYTES(GET_VERSION));
    pass(ACK_LIMIT_MS);
    CHECK(heard_is("", 0));
    pass(2);
    CHECK(heard_is(BYTES(ERROR)));
}

static void an_unfinished_frame_is_given_up_after_silence(void)
{
    fresh();
    say(BYTES("\0\0\xFF\x20\xE0\xD4"));
    pass(HOST_SILENCE_MS + 2);
    say(BYTES(GET_VERSION));
    pass(1);
    CHECK(written_is(BYTES(GET_VERSION)));
}

static void an_ack_inside_a_torn_frame_still_aborts(void)
{
    command_acknowledged();
    say(BYTES("\0\0\xFF\x20\xE0\xD4\x01" ACK));
    pass(HOST_SILENCE_MS + 3);
    CHECK(written_is(BYTES(ACK)) && bridge.state == BRIDGE_IDLE);
}

static void a_slow_host_is_not_silent(void)
{
    fresh();
    for (size_t i = 0; i < sizeof GET_VERSION - 1; i++) {
        say(GET_VERSION + i, 1);
        pass(HOST_SILENCE_MS - 10);
    }
    CHECK(written_is(BYTES(GET_VERSION)));
}

static void a_host_that_goes_aborts_its_command(void)
{
    command_acknowledged();
    bridge_host_gone(&bridge, now);
    pass(3);
    CHECK(written_is(BYTES(ACK)) && bridge.state == BRIDGE_IDLE && heard_is("", 0));
    bridge_host_gone(&bridge, now);
    pass(3);
    CHECK(written_is("", 0));
}

int main(void)
{
    RUN(a_command_its_ack_and_its_answer_pass);
    RUN(a_read_ends_with_the_last_byte_of_the_frame);
    RUN(a_chip_that_is_not_ready_costs_two_bytes);
    RUN(an_idle_bridge_leaves_the_bus_alone);
    RUN(nothing_happens_while_the_bus_is_not_free);
    RUN(an_extended_answer_of_full_length_passes);
    RUN(an_ack_from_the_host_aborts_and_nothing_is_read_any_more);
    RUN(a_new_command_replaces_the_old_one);
    RUN(an_answer_not_yet_sent_is_forgotten_for_a_new_command);
    RUN(a_nack_from_the_host_reads_the_answer_again);
    RUN(the_chip_is_not_read_while_output_waits);
    RUN(a_damaged_answer_is_asked_for_again_and_then_given_up);
    RUN(a_nack_from_the_chip_is_garbage);
    RUN(an_answer_that_is_too_long_is_not_read_to_its_end);
    RUN(endless_garbage_ends);
    RUN(a_read_that_breaks_off_is_asked_for_again);
    RUN(a_chip_that_sleeps_is_tried_again);
    RUN(an_absent_chip_is_an_error);
    RUN(a_chip_lost_while_it_works_is_an_error);
    RUN(a_chip_lost_for_a_moment_is_not);
    RUN(a_command_without_an_ack_is_an_error);
    RUN(an_unfinished_frame_is_given_up_after_silence);
    RUN(an_ack_inside_a_torn_frame_still_aborts);
    RUN(a_slow_host_is_not_silent);
    RUN(a_host_that_goes_aborts_its_command);
    return 0;
}
