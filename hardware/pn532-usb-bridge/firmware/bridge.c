#include "bridge.h"

#include <string.h>

#include "bus.h"
#include "chip.h"

static const uint8_t ack[FRAME_SHORT] = { 0x00, 0x00, 0xFF, 0x00, 0xFF, 0x00 };
static const uint8_t nack[FRAME_SHORT] = { 0x00, 0x00, 0xFF, 0xFF, 0x00, 0x00 };
static const uint8_t error[] = { 0x00, 0x00, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0x00 };

static uint16_t since(uint16_t then, uint16_t now)
{
    return (uint16_t)(now - then);
}

static void forget_output(struct bridge *bridge)
{
    bridge->output_from = bridge->output_to = 0;
}

static void enter(struct bridge *bridge, enum bridge_state state)
{
    bridge->state = state;
    bridge->garbage = 0;
    bridge->ask_again = false;
    bridge->lost = false;
}

void bridge_reset(struct bridge *bridge, uint16_t now)
{
    frame_parser_reset(&bridge->host);
    bridge->write_tries = 0;
    bridge->fault = false;
    bridge->host_heard = bridge->command_written = bridge->lost_since = now;
    forget_output(bridge);
    enter(bridge, BRIDGE_IDLE);
}

bool bridge_takes(struct bridge *bridge)
{
    struct frame_view unused;
    return !frame_parser_next(&bridge->host, &unused);
}

void bridge_put(struct bridge *bridge, uint8_t byte, uint16_t now)
{
    bridge->host_heard = now;
    frame_parser_put(&bridge->host, byte);
}

uint16_t bridge_output(const struct bridge *bridge, const uint8_t **bytes)
{
    *bytes = bridge->output + bridge->output_from;
    return (uint16_t)(bridge->output_to - bridge->output_from);
}

void bridge_output_sent(struct bridge *bridge, uint16_t count)
{
    bridge->output_from = (uint16_t)(bridge->output_from + count);
}

/* The host learns that its command will not be answered. */
static void fail(struct bridge *bridge)
{
    memcpy(bridge->output, error, sizeof error);
    bridge->output_from = 0;
    bridge->output_to = sizeof error;
    bridge->fault = true;
    enter(bridge, BRIDGE_IDLE);
}

static void host_frame_written(struct bridge *bridge, enum frame_kind kind, uint16_t now)
{
    static const enum bridge_state next[] = {
        [FRAME_ACK] = BRIDGE_IDLE,
        [FRAME_NACK] = BRIDGE_AWAITING_ANSWER,
        [FRAME_INFORMATION] = BRIDGE_AWAITING_ACK,
    };
    bridge->command_written = now;
    enter(bridge, next[kind]);
}

static void write_host_frame(struct bridge *bridge, const struct frame_view *view, uint16_t now)
{
    /* Whatever of an older answer has not left yet would be taken for the answer to this frame. */
    forget_output(bridge);
    bool written = bus_write(bridge->host.bytes, view->size);
    if (!written && ++bridge->write_tries < WRITE_TRIES)
        return;
    bridge->write_tries = 0;
    frame_parser_drop(&bridge->host, view);
    if (written)
        host_frame_written(bridge, view->kind, now);
    else if (view->kind == FRAME_ACK)
        enter(bridge, BRIDGE_IDLE);     /* nobody waits for an answer to an abort */
    else
        fail(bridge);
}

static void chip_lost(struct bridge *bridge, uint16_t now)
{
    if (!bridge->lost) {
        bridge->lost = true;
        bridge->lost_since = now;
    } else if (since(bridge->lost_since, now) >= LOST_LIMIT_MS) {
        fail(bridge);
    }
}

static void ask_again(struct bridge *bridge, uint16_t now)
{
    if (bus_write(nack, sizeof nack)) {
        bridge->ask_again = false;
        bridge->lost = false;
    } else {
        chip_lost(bridge, now);
    }
}

/* The chip repeats an answer when asked by a NACK. An unreadable ACK is not repeated: then the answer itself comes next. */
static void chip_sent_garbage(struct bridge *bridge)
{
    bridge->lost = false;
    if (++bridge->garbage >= GARBAGE_LIMIT)
        fail(bridge);
    else
        bridge->ask_again = bridge->state == BRIDGE_AWAITING_ANSWER;
}

static void chip_sent_frame(struct bridge *bridge, const struct frame_view *view)
{
    bridge->output_from = 0;
    bridge->output_to = view->size;
    bridge->fault = false;
    enter(bridge, view->kind == FRAME_ACK ? BRIDGE_AWAITING_ANSWER : BRIDGE_IDLE);
}

static void poll_chip(struct bridge *bridge, uint16_t now)
{
    struct frame_view view;
    switch (chip_read(bridge->output, &view)) {
    case CHIP_NOT_READY:
        bridge->lost = false;
        if (bridge->state == BRIDGE_AWAITING_ACK && since(bridge->command_written, now) >= ACK_LIMIT_MS)
            fail(bridge);
        break;
    case CHIP_FRAME:
        chip_sent_frame(bridge, &view);
        break;
    case CHIP_GARBAGE:
        chip_sent_garbage(bridge);
        break;
    case CHIP_LOST:
        chip_lost(bridge, now);
        break;
    }
}

void bridge_step(struct bridge *bridge, uint16_t now)
{
    struct frame_view view;
    const uint8_t *unused;
    bool from_host = frame_parser_next(&bridge->host, &view);
    if (!from_host && !frame_parser_is_empty(&bridge->host) && since(bridge->host_heard, now) >= HOST_SILENCE_MS)
        frame_parser_give_up(&bridge->host);
    if (!bus_is_free())
        return;
    if (from_host)
        write_host_frame(bridge, &view, now);
    else if (bridge->ask_again)
        ask_again(bridge, now);
    else if (bridge->state != BRIDGE_IDLE && bridge_output(bridge, &unused) == 0)
        poll_chip(bridge, now);
}

void bridge_host_gone(struct bridge *bridge, uint16_t now)
{
    bool busy = bridge->state != BRIDGE_IDLE;
    bridge_reset(bridge, now);
    for (uint8_t i = 0; busy && i < sizeof ack; i++)
        frame_parser_put(&bridge->host, ack[i]);
}
