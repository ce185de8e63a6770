// Grey pictures and the raw pixel formats a camera sends them in.
// Shared by usbcam (the USB camera) and picture (which makes the files the tests show).
#ifndef SRUP_IMAGE_H
#define SRUP_IMAGE_H

#include <stddef.h>
#include <stdint.h>

struct image {
    unsigned width, height;
    uint8_t *luma; // width * height bytes, malloc'd
};

/// A raw format under its three names. Chroma is always neutral: our pictures are grey.
struct raw_format {
    const char *fourcc;     // V4L2's name, as v4l2-ctl prints it
    const char uvc[4];      // first four bytes of the UVC format GUID, zeros: UVC has none
    unsigned bits;          // per pixel
    void (*pack)(const struct image *, uint8_t *);
};

/// Null-terminated (last fourcc is NULL).
extern const struct raw_format raw_formats[];

const struct raw_format *raw_format_named(const char *fourcc);
size_t raw_size(const struct raw_format *, unsigned width, unsigned height);

struct image image_new(unsigned width, unsigned height);
/// Binary PGM (P5, maximum 255). Ends the process with a message when the file is not one.
struct image image_read_pgm(const char *path);
/// Half the width and height, each pixel the mean of four.
struct image image_halved(const struct image *);
/// The whole file; ends the process with a message when it cannot be read.
uint8_t *file_read(const char *path, size_t *length);

/// Prints "<program>: message" and ends the process with status 2.
__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);

#endif
