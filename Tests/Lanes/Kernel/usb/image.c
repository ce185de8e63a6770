#define _GNU_SOURCE
#include "image.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void die(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(2);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size ? size : 1);
    if (!memory)
        die("out of memory (%zu bytes)", size);
    return memory;
}

static size_t pixels(const struct image *image)
{
    return (size_t)image->width * image->height;
}

static void pack_yuyv(const struct image *image, uint8_t *out)
{
    for (size_t i = 0; i < pixels(image); i++) {
        out[2 * i] = image->luma[i];
        out[2 * i + 1] = 128;
    }
}

static void pack_uyvy(const struct image *image, uint8_t *out)
{
    for (size_t i = 0; i < pixels(image); i++) {
        out[2 * i] = 128;
        out[2 * i + 1] = image->luma[i];
    }
}

static void pack_grey(const struct image *image, uint8_t *out)
{
    memcpy(out, image->luma, pixels(image));
}

// NV12, NV21, YU12 and YV12 differ only in how they order the chroma, and ours is all 128.
static void pack_420(const struct image *image, uint8_t *out)
{
    memcpy(out, image->luma, pixels(image));
    memset(out + pixels(image), 128, pixels(image) / 2);
}

static void pack_422(const struct image *image, uint8_t *out)
{
    memcpy(out, image->luma, pixels(image));
    memset(out + pixels(image), 128, pixels(image));
}

const struct raw_format raw_formats[] = {
    {"YUYV", {'Y', 'U', 'Y', '2'}, 16, pack_yuyv},
    {"UYVY", {'U', 'Y', 'V', 'Y'}, 16, pack_uyvy},
    {"GREY", {'Y', '8', '0', '0'}, 8, pack_grey},
    {"NV12", {'N', 'V', '1', '2'}, 12, pack_420},
    {"YU12", {'I', '4', '2', '0'}, 12, pack_420},
    {"YV12", {'Y', 'V', '1', '2'}, 12, pack_420},
    {"NV21", {0}, 12, pack_420}, // no UVC format: for vivid, like the following three
    {"422P", {0}, 16, pack_422},
    {"YVYU", {0}, 16, pack_yuyv},
    {"VYUY", {0}, 16, pack_uyvy},
    // Behind a colour filter a grey scene looks the same through red, green and blue.
    {"BA81", {'B', 'A', '8', '1'}, 8, pack_grey},
    {"GBRG", {'G', 'B', 'R', 'G'}, 8, pack_grey},
    {"GRBG", {'G', 'R', 'B', 'G'}, 8, pack_grey},
    {"RGGB", {'R', 'G', 'G', 'B'}, 8, pack_grey},
    // What a depth camera sends beside its pictures; here the picture's own bytes, twice.
    {"Z16 ", {'Z', '1', '6', ' '}, 16, pack_yuyv},
    {NULL, {0}, 0, NULL},
};

const struct raw_format *raw_format_named(const char *fourcc)
{
    for (const struct raw_format *format = raw_formats; format->fourcc; format++)
        if (!strcmp(format->fourcc, fourcc))
            return format;
    return NULL;
}

size_t raw_size(const struct raw_format *format, unsigned width, unsigned height)
{
    return (size_t)width * height * format->bits / 8;
}

struct image image_new(unsigned width, unsigned height)
{
    return (struct image){width, height, allocate((size_t)width * height)};
}

uint8_t *file_read(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rbe");
    if (!file)
        die("%s: %s", path, strerror(errno));
    size_t room = 1 << 16, used = 0;
    uint8_t *bytes = allocate(room);
    size_t count;
    while ((count = fread(bytes + used, 1, room - used, file)) > 0) {
        used += count;
        if (used == room && !(bytes = realloc(bytes, room *= 2)))
            die("%s: too large", path);
    }
    if (ferror(file))
        die("%s: %s", path, strerror(errno));
    fclose(file);
    *length = used;
    return bytes;
}

struct image image_read_pgm(const char *path)
{
    size_t length;
    uint8_t *bytes = file_read(path, &length);
    unsigned width, height, maximum;
    int header = 0;
    char head[64] = {0};
    memcpy(head, bytes, length < sizeof head - 1 ? length : sizeof head - 1);
    if (sscanf(head, "P5 %u %u %u%n", &width, &height, &maximum, &header) != 3 || maximum != 255)
        die("%s: not a binary PGM with maximum 255", path);
    header++; // the one white-space character after the maximum
    if (width > 8192 || height > 8192 || length < (size_t)header + (size_t)width * height)
        die("%s: shorter than its %ux%u pixels", path, width, height);
    struct image image = image_new(width, height);
    memcpy(image.luma, bytes + header, pixels(&image));
    free(bytes);
    return image;
}

struct image image_halved(const struct image *whole)
{
    struct image half = image_new(whole->width / 2, whole->height / 2);
    for (unsigned y = 0; y < half.height; y++)
        for (unsigned x = 0; x < half.width; x++) {
            const uint8_t *p = whole->luma + (size_t)2 * y * whole->width + 2 * x;
            half.luma[(size_t)y * half.width + x] =
                (uint8_t)((p[0] + p[1] + p[whole->width] + p[whole->width + 1] + 2) / 4);
        }
    return half;
}
