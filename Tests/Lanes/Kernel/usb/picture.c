// Makes one picture as a camera might see it: a grey, slightly noisy wall, and on it a white card
// with the code whose modules stand on standard input as `qrencode -t ASCII -m 0` prints them
// (two characters a module, '#' is dark). With nothing on standard input the wall is bare.
//
//   qrencode -t ASCII -m 0 -o - VALUE | picture 640x480 PGM >picture.pgm
//   picture 1280x720 NV12 </dev/null >bare.raw
//
// Or turns a PGM into the bytes that usbcam sends for it, whole or halved:
//
//   picture picture.pgm YUYV >whole.raw
//   picture picture.pgm YUYV half >half.raw
//   picture picture.pgm PGM dim >dim.pgm        in the dark, with a stain across that takes too much of the code
#include "image.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { wall_dark = 90, wall_light = 140, card = 235, ink = 20, quiet_zone = 4, most_modules = 177 };

static void paint_wall(struct image *image)
{
    uint32_t noise = 1;
    for (unsigned y = 0; y < image->height; y++)
        for (unsigned x = 0; x < image->width; x++) {
            noise = noise * 1664525u + 1013904223u;
            unsigned light = wall_dark + (wall_light - wall_dark) * x / image->width;
            image->luma[(size_t)y * image->width + x] = (uint8_t)(light + (noise >> 29));
        }
}

static void paint_square(struct image *image, unsigned left, unsigned top, unsigned side, uint8_t light)
{
    for (unsigned y = top; y < top + side; y++)
        memset(image->luma + (size_t)y * image->width + left, light, side);
}

static void paint_code(struct image *image, char rows[][2 * most_modules + 3], unsigned modules)
{
    unsigned shorter = image->width < image->height ? image->width : image->height;
    unsigned side = shorter * 7 / 10 / (modules + 2 * quiet_zone);
    if (side < 2)
        die("%u modules do not fit into %ux%u", modules, image->width, image->height);
    unsigned whole = side * (modules + 2 * quiet_zone);
    unsigned left = (image->width - whole) / 3, top = (image->height - whole) / 2; // off centre, as in life
    paint_square(image, left, top, whole, card);
    for (unsigned row = 0; row < modules; row++)
        for (unsigned column = 0; column < modules; column++)
            if (rows[row][2 * column] == '#')
                paint_square(image, left + (quiet_zone + column) * side, top + (quiet_zone + row) * side, side, ink);
}

static struct image painted(unsigned width, unsigned height)
{
    static char rows[most_modules][2 * most_modules + 3];
    unsigned modules = 0;
    if (width < 16 || height < 16 || width > 8192 || height > 8192 || width % 2 || height % 2)
        die("%ux%u: sizes are even and from 16 to 8192", width, height);
    while (modules < most_modules && fgets(rows[modules], sizeof rows[modules], stdin))
        modules++;
    if (modules && strcspn(rows[0], "\n") != 2 * (size_t)modules)
        die("standard input is not a square of modules (%u rows)", modules);
    struct image image = image_new(width, height);
    paint_wall(&image);
    if (modules)
        paint_code(&image, rows, modules);
    return image;
}

static void write_raw(const struct image *image, const struct raw_format *format)
{
    size_t size = raw_size(format, image->width, image->height);
    uint8_t *raw = malloc(size);
    if (!raw)
        die("out of memory");
    format->pack(image, raw);
    fwrite(raw, 1, size, stdout);
    free(raw);
}

static void dim(struct image *image)
{
    for (size_t i = 0; i < (size_t)image->width * image->height; i++)
        image->luma[i] /= 4;
    unsigned top = image->height * 45 / 100, bottom = image->height * 55 / 100;
    memset(image->luma + (size_t)top * image->width, wall_dark / 4, (size_t)(bottom - top) * image->width);
}

int main(int count, char **arguments)
{
    if (count < 3 || count > 4 || (count == 4 && strcmp(arguments[3], "half") && strcmp(arguments[3], "dim")))
        die("usage: picture WIDTHxHEIGHT|FILE.pgm PGM|YUYV|GREY|... [half|dim]");
    unsigned width, height;
    bool by_size = sscanf(arguments[1], "%ux%u", &width, &height) == 2;
    struct image image = by_size ? painted(width, height) : image_read_pgm(arguments[1]);
    if (count == 4 && !strcmp(arguments[3], "dim"))
        dim(&image);
    else if (count == 4) {
        struct image whole = image;
        image = image_halved(&whole);
        free(whole.luma);
    }

    const struct raw_format *format = raw_format_named(arguments[2]);
    if (format) {
        write_raw(&image, format);
    } else if (!strcmp(arguments[2], "PGM")) {
        printf("P5\n%u %u\n255\n", image.width, image.height);
        fwrite(image.luma, 1, (size_t)image.width * image.height, stdout);
    } else {
        die("unknown format %s", arguments[2]);
    }
    free(image.luma);
    if (fflush(stdout) || ferror(stdout))
        die("cannot write the picture");
    return 0;
}
