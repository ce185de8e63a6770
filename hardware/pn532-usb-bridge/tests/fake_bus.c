#include "fake_bus.h"

#include <string.h>

#include "bus.h"

struct fake_bus fake_bus;

static enum { STOPPED, READING, LAST_READ } phase;
static struct message current;

void fake_bus_reset(void)
{
    memset(&fake_bus, 0, sizeof fake_bus);
    phase = STOPPED;
}

void fake_bus_says(const void *frame, size_t size)
{
    if (fake_bus.says_count == FAKE_MESSAGES || size >= FAKE_MESSAGE_SIZE)
        return;
    struct message *message = &fake_bus.says[fake_bus.says_count++];
    message->bytes[0] = 0x01;
    memcpy(message->bytes + 1, frame, size);
    message->size = size + 1;
}

static void take_message(void)
{
    current.size = 0;
    if (fake_bus.says_count == 0)
        return;
    current = fake_bus.says[0];
    if (!fake_bus.says_for_ever)
        memmove(fake_bus.says, fake_bus.says + 1, --fake_bus.says_count * sizeof *fake_bus.says);
}

static void begin(void)
{
    fake_bus.mistakes += phase != STOPPED || fake_bus.busy;
}

bool bus_is_free(void)
{
    return !fake_bus.busy;
}

bool bus_write(const uint8_t *bytes, uint16_t count)
{
    begin();
    if (fake_bus.absent)
        return false;
    if (fake_bus.written_count == FAKE_MESSAGES)
        memmove(fake_bus.written, fake_bus.written + 1, --fake_bus.written_count * sizeof *fake_bus.written);
    struct message *message = &fake_bus.written[fake_bus.written_count++];
    memcpy(message->bytes, bytes, count);
    message->size = count;
    return true;
}

bool bus_read_begin(void)
{
    begin();
    fake_bus.reads++;
    fake_bus.bytes_read = 0;
    if (fake_bus.absent)
        return false;
    take_message();
    phase = READING;
    return true;
}

bool bus_read_byte(uint8_t *byte, bool last)
{
    fake_bus.mistakes += phase != READING;
    if (fake_bus.fail_after != 0 && fake_bus.bytes_read == fake_bus.fail_after) {
        phase = STOPPED;
        return false;
    }
    bool ready = current.size > 0;
    size_t at = fake_bus.bytes_read++;
    *byte = at < current.size ? current.bytes[at] : ready ? fake_bus.filler : 0;
    phase = last ? LAST_READ : READING;
    return true;
}

void bus_read_end(void)
{
    fake_bus.mistakes += phase != LAST_READ;
    phase = STOPPED;
}
