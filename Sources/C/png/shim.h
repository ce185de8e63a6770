#pragma once
#include <png.h>
#include <string.h>

// The simplified interface of libpng needs no setjmp; these two fill in its version macro.
// https://libpng.sourceforge.io/ (png.h, "SIMPLIFIED API")

// Reads the header; 0 on failure. The image must be freed with png_image_free.
static inline int srup_png_begin(png_image *image, const void *data, size_t size) {
    memset(image, 0, sizeof *image);
    image->version = PNG_IMAGE_VERSION;
    return png_image_begin_read_from_memory(image, data, size);
}

// Decodes to 8-bit grey on white.
static inline int srup_png_grey(png_image *image, unsigned char *pixels) {
    png_color white = {255, 255, 255};
    image->format = PNG_FORMAT_GRAY;
    return png_image_finish_read(image, &white, pixels, 0, NULL);
}

// Encodes 8-bit grey or RGB (format); *size is the room in memory and becomes what was used. 0 on failure.
static inline int srup_png_encode(
    const unsigned char *pixels, unsigned width, unsigned height, unsigned format, unsigned flags, void *memory,
    size_t *size) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = format;
    image.flags = flags;
    png_alloc_size_t room = *size;
    int done = png_image_write_to_memory(&image, memory, &room, 0, pixels, 0, NULL);
    *size = room;
    png_image_free(&image);
    return done;
}

static inline int srup_png_write_grey(
    const unsigned char *pixels, unsigned width, unsigned height, void *memory, size_t *size) {
    return srup_png_encode(pixels, width, height, PNG_FORMAT_GRAY, 0, memory, size);
}

// The same, larger and several times as fast.
static inline int srup_png_write_grey_fast(
    const unsigned char *pixels, unsigned width, unsigned height, void *memory, size_t *size) {
    return srup_png_encode(pixels, width, height, PNG_FORMAT_GRAY, PNG_IMAGE_FLAG_FAST, memory, size);
}

static inline int srup_png_write_rgb(
    const unsigned char *pixels, unsigned width, unsigned height, void *memory, size_t *size) {
    return srup_png_encode(pixels, width, height, PNG_FORMAT_RGB, 0, memory, size);
}
