#include "uvc.h"

#include <string.h>

// MARK: writing little-endian bytes

struct bytes {
    uint8_t *at;
    size_t used, room;
};

static void put8(struct bytes *out, unsigned value)
{
    if (out->used == out->room)
        die("a descriptor is longer than its buffer");
    out->at[out->used++] = (uint8_t)value;
}

static void put16(struct bytes *out, unsigned value)
{
    put8(out, value);
    put8(out, value >> 8);
}

static void put32(struct bytes *out, uint32_t value)
{
    put16(out, value & 0xffff);
    put16(out, value >> 16);
}

static void put(struct bytes *out, const uint8_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put8(out, values[i]);
}
#define PUT(out, ...) put(out, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void set16(struct bytes *out, size_t place, size_t value)
{
    out->at[place] = (uint8_t)value;
    out->at[place + 1] = (uint8_t)(value >> 8);
}

// MARK: what is offered

static unsigned frame_count(const struct camera_model *model, unsigned format_index)
{
    return model->offers[format_index - 1].format && !model->small_raw ? 2 : 1;
}

int model_frame(const struct camera_model *model, unsigned format_index, unsigned frame_index, unsigned *width,
                unsigned *height)
{
    if (format_index < 1 || format_index > model->offer_count)
        return 0;
    int is_small = model->small_raw && model->offers[format_index - 1].format;
    if (frame_index < 1 || frame_index > frame_count(model, format_index))
        return 0;
    *width = model->width / (is_small ? 2 : frame_index);
    *height = model->height / (is_small ? 2 : frame_index);
    return 1;
}

uint32_t model_frame_bytes(const struct camera_model *model, unsigned format_index, unsigned frame_index)
{
    unsigned width = 0, height = 0;
    if (!model_frame(model, format_index, frame_index, &width, &height))
        return 0;
    const struct raw_format *format = model->offers[format_index - 1].format;
    return format ? (uint32_t)raw_size(format, width, height) : width * height * 2;
}

// MARK: descriptors

// UVC 1.0 3.9.2.x: frame descriptors of uncompressed (subtype 5) and MJPEG (7) pictures are alike.
static void put_frame(struct bytes *out, const struct camera_model *model, unsigned subtype, unsigned format_index,
                      unsigned frame_index)
{
    unsigned width = 0, height = 0;
    model_frame(model, format_index, frame_index, &width, &height);
    uint32_t size = model_frame_bytes(model, format_index, frame_index);
    PUT(out, 30, 0x24, (uint8_t)subtype, (uint8_t)frame_index, 0);
    put16(out, width);
    put16(out, height);
    put32(out, size * 8 * model->fps); // least and most bits a second
    put32(out, size * 8 * model->fps);
    put32(out, size);
    put32(out, frame_interval(model)); // default
    put8(out, 1);                      // one discrete interval follows
    put32(out, frame_interval(model));
}

static void put_format(struct bytes *out, const struct camera_model *model, unsigned index)
{
    const struct raw_format *format = model->offers[index - 1].format;
    if (format) {
        PUT(out, 27, 0x24, 4, (uint8_t)index, (uint8_t)frame_count(model, index));
        put(out, (const uint8_t *)format->uvc, sizeof format->uvc);
        PUT(out, 0x00, 0x00, 0x10, 0x00, 0x80, 0x00, 0x00, 0xaa, 0x00, 0x38, 0x9b, 0x71);
        PUT(out, (uint8_t)format->bits, 1, 0, 0, 0, 0); // default frame, aspect, interlace, protection
        put_frame(out, model, 5, index, 1);
        if (frame_count(model, index) == 2)
            put_frame(out, model, 5, index, 2);
    } else {
        PUT(out, 11, 0x24, 6, (uint8_t)index, 1, 0, 1, 0, 0, 0, 0);
        put_frame(out, model, 7, index, 1);
    }
    PUT(out, 6, 0x24, 0x0d, 1, 1, 4); // colours: BT.709 primaries and transfer, SMPTE 170M matrix
}

static size_t configuration(const struct camera_model *model, uint8_t *at, size_t room)
{
    struct bytes out = {at, 0, room};
    PUT(&out, 9, 2, 0, 0, 2, 1, 0, 0x80, 250); // length set below; two interfaces, 500 mA
    PUT(&out, 8, 0x0b, 0, 2, 0x0e, 3, 0, 0);   // they belong together: a video function

    // Video control: a camera terminal (1) whose pictures leave by a streaming terminal (2), with controls through a
    // processing unit (3).
    PUT(&out, 9, 4, 0, 0, 0, 0x0e, 1, 0, 0);
    size_t control = out.used;
    PUT(&out, 13, 0x24, 1, 0x00, 0x01, 0, 0, 0x00, 0x6c, 0xdc, 0x02, 1, 1); // UVC 1.0, 48 MHz, interface 1
    PUT(&out, 18, 0x24, 2, camera_terminal, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 3, model->controls ? 0x0a : 0, 0, 0);
    if (model->controls)
        PUT(&out, 11, 0x24, 5, processing_unit, camera_terminal, 0, 0, 2, 0x00, 0x02, 0);
    PUT(&out, 9, 0x24, 3, 2, 0x01, 0x01, 0, model->controls ? processing_unit : camera_terminal, 0);
    set16(&out, control + 5, out.used - control);

    // Video streaming: no alternate setting, so the host knows that the endpoint is a bulk one.
    PUT(&out, 9, 4, 1, 0, 1, 0x0e, 2, 0, 0);
    size_t streaming = out.used;
    PUT(&out, (uint8_t)(13 + model->offer_count), 0x24, 1, (uint8_t)model->offer_count, 0, 0, 0x80 | bulk_endpoint, 0,
        2, 0, 0, 0, 1);
    for (unsigned i = 0; i < model->offer_count; i++)
        put8(&out, 0); // no controls for this format
    for (unsigned i = 1; i <= model->offer_count; i++)
        put_format(&out, model, i);
    set16(&out, streaming + 4, out.used - streaming);

    PUT(&out, 7, 5, 0x80 | bulk_endpoint, 2, packet_size & 0xff, packet_size >> 8, 0);
    set16(&out, 2, out.used);
    return out.used;
}

static size_t string(const struct camera_model *model, unsigned index, uint8_t *at, size_t room)
{
    const char *const strings[] = {NULL, "srup-observer", "SRUP test camera", model->serial};
    struct bytes out = {at, 0, room};
    if (index == 0) {
        PUT(&out, 4, 3, 0x09, 0x04); // language: English
        return out.used;
    }
    if (index >= sizeof strings / sizeof *strings)
        return 0;
    PUT(&out, (uint8_t)(2 + 2 * strlen(strings[index])), 3);
    for (const char *character = strings[index]; *character; character++)
        put16(&out, (uint8_t)*character);
    return out.used;
}

size_t descriptor(const struct camera_model *model, unsigned type, unsigned index, uint8_t *at, size_t room)
{
    struct bytes out = {at, 0, room};
    switch (type) {
    case 1: // device: USB 2.0, "see the interfaces" with an association, 1209:0001 (pid.codes, for tests)
        PUT(&out, 18, 1, 0x00, 0x02, 0xef, 2, 1, 64, 0x09, 0x12, 0x01, 0x00, 0x00, 0x01, 1, 2, 3, 1);
        return out.used;
    case 2:
        return configuration(model, at, room);
    case 3:
        return string(model, index, at, room);
    default:
        return 0;
    }
}

// MARK: probe and commit

void probe_encode(const struct camera_model *model, struct probe probe, uint8_t at[probe_size])
{
    struct bytes out = {at, 0, probe_size};
    put16(&out, 1); // hint: keep the frame interval
    put8(&out, probe.format_index);
    put8(&out, probe.frame_index);
    put32(&out, frame_interval(model));
    for (int i = 0; i < 5; i++)
        put16(&out, 0); // key frames, P frames, quality, window, delay: none of them here
    put32(&out, model_frame_bytes(model, probe.format_index, probe.frame_index));
    put32(&out, payload_size);
}

struct probe probe_decode(const struct camera_model *model, const uint8_t *bytes, size_t length)
{
    struct probe probe = {1, 1};
    unsigned width, height;
    if (length < 4)
        return probe;
    if (model_frame(model, bytes[2], bytes[3], &width, &height))
        probe = (struct probe){bytes[2], bytes[3]};
    else if (model_frame(model, bytes[2], 1, &width, &height))
        probe = (struct probe){bytes[2], 1};
    return probe;
}
