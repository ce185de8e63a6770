#include "chip.h"

#include "bus.h"

enum { READY = 0x01 };

/* The master says with each byte whether it wants another, so one byte has to be thrown away where it turns out, after an
 * acknowledged byte, that nothing more is wanted. */
static bool end_after_one_more(void)
{
    uint8_t unused;
    if (!bus_read_byte(&unused, true))
        return false;
    bus_read_end();
    return true;
}

static enum chip_answer read_frame(uint8_t *bytes, struct frame_view *view)
{
    uint16_t count = 0;
    for (;;) {
        enum frame_state state = frame_judge(bytes, count, view);
        bool last = view->size != 0 && count + 1 == view->size;
        if (state == FRAME_COMPLETE || (state == FRAME_BROKEN && count == view->size)) {
            bus_read_end();
            return state == FRAME_COMPLETE && view->kind != FRAME_NACK ? CHIP_FRAME : CHIP_GARBAGE;
        }
        if (state != FRAME_INCOMPLETE) {
            end_after_one_more();
            return CHIP_GARBAGE;
        }
        if (!bus_read_byte(&bytes[count++], last))
            return CHIP_GARBAGE;
    }
}

enum chip_answer chip_read(uint8_t *bytes, struct frame_view *view)
{
    uint8_t status;
    if (!bus_read_begin() || !bus_read_byte(&status, false))
        return CHIP_LOST;
    if (status & READY)
        return read_frame(bytes, view);
    return end_after_one_more() ? CHIP_NOT_READY : CHIP_LOST;
}
