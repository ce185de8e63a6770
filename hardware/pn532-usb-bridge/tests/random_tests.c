/* Random and nearly right input from both sides, under the sanitizers.
 *
 *   random-tests [ROUNDS [SEED]]
 *
 * Whatever has happened in a round: the master made no mistake on the bus, the chip was sent only right frames, and after a
 * moment of silence the next command is carried out. */
#include <stdint.h>
#include <string.h>

#include "bridge.h"
#include "fake_bus.h"
#include "test.h"

#define BYTES(literal) literal, sizeof(literal) - 1
#define ACK "\0\0\xFF\0\xFF\0"
#define NACK "\0\0\xFF\xFF\0\0"
#define GET_VERSION "\0\0\xFF\x02\xFE\xD4\x02\x2A\0"
#define VERSION "\0\0\xFF\x06\xFA\xD5\x03\x32\x01\x06\x07\xE8\0"

static struct bridge bridge;
static uint16_t now;
static uint64_t state;
static size_t frames_passed;

/* xorshift64*: the same seed gives the same rounds everywhere. */
static uint32_t draw(uint32_t below)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)((state * UINT64_C(2685821657736338717)) >> 33) % below;
}

/* Something like a frame: often right, often wrong in one place, sometimes of a length that must not pass. */
static size_t draw_frame(uint8_t *frame, uint8_t tfi)
{
    uint16_t length = (uint16_t)(draw(8) == 0 ? 250 + draw(60) : 1 + draw(40));
    size_t n = 3;
    memcpy(frame, "\0\0\xFF", 3);
    if (length > 255 || draw(4) == 0) {
        uint8_t high = (uint8_t)(length >> 8), low = (uint8_t)length;
        memcpy(frame + 3, (const uint8_t[]) { 0xFF, 0xFF, high, low, (uint8_t)-(high + low) }, 5);
        n = 8;
    } else {
        frame[n++] = (uint8_t)length;
        frame[n++] = (uint8_t)-length;
    }
    uint8_t check = tfi;
    frame[n++] = tfi;
    for (uint16_t i = 1; i < length; i++) {
        uint8_t byte = draw(3) == 0 ? (uint8_t)draw(256) : draw(2) ? 0x00 : 0xFF;
        check = (uint8_t)(check + byte);
        frame[n++] = byte;
    }
    frame[n++] = (uint8_t)-check;
    frame[n++] = 0x00;
    if (draw(3) == 0)
        frame[draw((uint32_t)n)] ^= (uint8_t)(1u << draw(8));
    return draw(10) == 0 ? draw((uint32_t)n) : n;
}

static size_t draw_bytes(uint8_t *bytes, uint8_t tfi)
{
    size_t n = 1 + draw(40);
    switch (draw(8)) {
    case 0:
        memcpy(bytes, BYTES(ACK));
        return sizeof ACK - 1;
    case 1:
        memcpy(bytes, BYTES(NACK));
        return sizeof NACK - 1;
    case 2:
        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)draw(256);
        return n;
    case 3:
        for (size_t i = 0; i < n; i++)
            bytes[i] = draw(2) ? 0x00 : draw(2) ? 0xFF : 0x55;
        return n;
    default:
        return draw_frame(bytes, tfi);
    }
}

static void check_written(void)
{
    for (size_t i = 0; i < fake_bus.written_count; i++) {
        struct frame_view view;
        const struct message *written = &fake_bus.written[i];
        CHECK(frame_judge(written->bytes, (uint16_t)written->size, &view) == FRAME_COMPLETE && view.size == written->size);
        frames_passed++;
    }
    fake_bus.written_count = 0;
}

static void step(void)
{
    fake_bus.busy = draw(3) == 0;
    bridge_step(&bridge, now);
    now = (uint16_t)(now + draw(4));
    const uint8_t *bytes;
    uint16_t waiting = bridge_output(&bridge, &bytes);
    CHECK(waiting <= FRAME_MAX);
    if (waiting > 0 && draw(3) != 0)
        bridge_output_sent(&bridge, (uint16_t)(1 + draw(waiting)));
    CHECK(fake_bus.mistakes == 0);
    check_written();
}

static void disturb_chip(void)
{
    uint8_t bytes[FAKE_MESSAGE_SIZE];
    fake_bus.absent = draw(6) == 0;
    fake_bus.fail_after = draw(8) == 0 ? 1 + draw(20) : 0;
    fake_bus.filler = (uint8_t)draw(256);
    fake_bus.says_for_ever = draw(10) == 0;
    if (draw(2))
        fake_bus_says(bytes, draw_bytes(bytes, 0xD5));
}

static void talk(void)
{
    uint8_t bytes[FAKE_MESSAGE_SIZE];
    size_t n = draw_bytes(bytes, 0xD4);
    for (size_t i = 0; i < n; i++) {
        for (int tries = 0; !bridge_takes(&bridge); tries++) {
            CHECK(tries < 1000);
            step();
        }
        bridge_put(&bridge, bytes[i], now);
        if (draw(20) == 0)
            step();
    }
}

static void round_of_disturbance(void)
{
    for (uint32_t i = draw(12); i > 0; i--) {
        disturb_chip();
        talk();
        for (uint32_t steps = draw(30); steps > 0; steps--)
            step();
        if (draw(30) == 0)
            bridge_host_gone(&bridge, now);
        if (draw(10) == 0)
            now = (uint16_t)(now + draw(400));
    }
}

/* With a chip that behaves, and after a silence, a command is acknowledged and answered. */
static void the_next_command_is_carried_out(void)
{
    fake_bus_reset();
    uint8_t heard[64];
    size_t count = 0;
    for (int i = 0; i < 400; i++) {
        now++;
        bridge_step(&bridge, now);
        const uint8_t *bytes;
        bridge_output_sent(&bridge, bridge_output(&bridge, &bytes));
    }
    fake_bus_reset();
    for (size_t i = 0; i < sizeof GET_VERSION - 1; i++) {
        CHECK(bridge_takes(&bridge));
        bridge_put(&bridge, (uint8_t)GET_VERSION[i], now);
    }
    for (int i = 0; i < 10; i++) {
        bridge_step(&bridge, now++);
        if (i == 0) {
            CHECK(fake_bus.written_count == 1);
            fake_bus_says(BYTES(ACK));
            fake_bus_says(BYTES(VERSION));
        }
        const uint8_t *bytes;
        uint16_t n = bridge_output(&bridge, &bytes);
        CHECK(count + n <= sizeof heard);
        memcpy(heard + count, bytes, n);
        count += n;
        bridge_output_sent(&bridge, n);
    }
    CHECK(count == sizeof(ACK VERSION) - 1 && memcmp(heard, ACK VERSION, count) == 0);
}

int main(int count, char **arguments)
{
    unsigned long rounds = count > 1 ? strtoul(arguments[1], NULL, 0) : 20000;
    state = count > 2 ? strtoull(arguments[2], NULL, 0) : 532;
    fake_bus_reset();
    bridge_reset(&bridge, now);
    for (unsigned long i = 0; i < rounds; i++) {
        round_of_disturbance();
        the_next_command_is_carried_out();
    }
    printf("  ok  %lu rounds, %zu frames reached the chip\n", rounds, frames_passed);
    return 0;
}
