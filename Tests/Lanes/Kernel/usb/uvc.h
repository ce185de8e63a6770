// The bytes of USB and UVC 1.0 that a camera shows to its host.
#ifndef SRUP_UVC_H
#define SRUP_UVC_H

#include "image.h"

enum { packet_size = 512, payload_size = 32 * packet_size, payload_header = 2, bulk_endpoint = 1 };

/// One offered format: raw (format is set) or Motion JPEG (format is NULL). Index from 1, as UVC counts.
struct offer {
    const struct raw_format *format;
};

/// The entities of the video control interface that have controls.
enum { camera_terminal = 1, processing_unit = 3 };

/// What the camera says it can do; frame 1 is the whole picture, frame 2 (raw formats only) half of it.
struct camera_model {
    unsigned width, height, fps;
    struct offer offers[16];
    unsigned offer_count;
    int small_raw; // raw formats in half the size only
    int controls;  // exposure mode, exposure and gain can be set
    const char *serial;
};

static inline uint32_t frame_interval(const struct camera_model *model)
{
    return 10000000u / model->fps; // UVC counts in 100 ns
}

/// Width and height of a frame index; false when the camera does not offer that pair.
int model_frame(const struct camera_model *, unsigned format_index, unsigned frame_index, unsigned *width,
                unsigned *height);
/// Most bytes one frame of this choice can have.
uint32_t model_frame_bytes(const struct camera_model *, unsigned format_index, unsigned frame_index);

/// The answer to GET_DESCRIPTOR (USB 2.0, 9.4.3); 0 when there is no such descriptor.
size_t descriptor(const struct camera_model *, unsigned type, unsigned index, uint8_t *out, size_t room);

/// Video probe and commit control, UVC 1.0 table 4-47.
enum { probe_size = 26 };
struct probe {
    uint8_t format_index, frame_index;
};
void probe_encode(const struct camera_model *, struct probe, uint8_t out[probe_size]);
/// Takes the host's wish and answers with the nearest thing on offer.
struct probe probe_decode(const struct camera_model *, const uint8_t *bytes, size_t length);

#endif
