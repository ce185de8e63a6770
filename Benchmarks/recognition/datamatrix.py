"""Draws Data Matrix symbols as labels and trays show them, a folder for each set, with a manifest.json that
Benchmarks/run recognition reads. The symbols are written by zint (Debian's package), so no table of this project's is in
them. The same options draw the same pictures.

    python datamatrix.py [--count N] [--seed N] [--sets LIST] FOLDER
"""
import argparse
import functools
import json
import math
import os
import random
import subprocess
import sys

import numpy
from PIL import Image, ImageDraw, ImageFilter

# zint's numbers of the sizes, as `--vers`: square ones, the six rectangles, and the rectangular extensions.
SQUARE = list(range(1, 25))
RECTANGLES = list(range(25, 31))
EXTENSIONS = list(range(31, 49))
HEX = "0123456789ABCDEF"


@functools.lru_cache(maxsize=None)
def symbol(text, *options):
    """A symbol's modules, dark ones true, as zint writes it; the text may hold escapes such as \\x1D."""
    dump = subprocess.run(
        ["zint", "-b", "71", "--dump", "--esc", *options, "-d", text], check=True, capture_output=True, text=True).stdout
    # A digit for four modules; a row's last one is filled up, and the right side is dark in every other row.
    rows = [line.replace(" ", "") for line in dump.split("\n") if line.strip()]
    bits = numpy.array([[bit == "1" for digit in row for bit in f"{int(digit, 16):04b}"] for row in rows])
    return bits[:, : int(numpy.flatnonzero(bits.any(axis=0))[-1]) + 1]


def hexadecimal(generator, count=32):
    return "".join(generator.choice(HEX) for _ in range(count))


def homography(source, target):
    """Coefficients that take the places of the target to those of the source, as Image.transform wants them."""
    rows, values = [], []
    for (x, y), (u, v) in zip(target, source):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return numpy.linalg.solve(numpy.array(rows, float), numpy.array(values, float))


class Label:
    """Something printed, fine enough to be seen from near: 255 is the ground, 0 is printed."""

    def __init__(self, width, height, fine=6):
        self.fine = fine
        self.picture = Image.new("L", (int(width * fine), int(height * fine)), 255)
        self.draw = ImageDraw.Draw(self.picture)

    def symbol(self, modules, x, y, gap=0.0, dots=False):
        """Draws modules with the upper left one at a place, all in modules; gap is the part of a module left light."""
        f = self.fine
        rows, columns = modules.shape
        half = f * (1 - gap) / 2
        for row in range(rows):
            for column in range(columns):
                if not modules[row, column]:
                    continue
                cx, cy = (x + column + 0.5) * f, (y + row + 0.5) * f
                if dots:
                    self.draw.ellipse((cx - half, cy - half, cx + half, cy + half), fill=0)
                elif gap:
                    self.draw.rectangle((cx - half, cy - half, cx + half - 1, cy + half - 1), fill=0)
                else:
                    self.draw.rectangle((cx - f / 2, cy - f / 2, cx + f / 2 - 1, cy + f / 2 - 1), fill=0)

    def words(self, generator, x, y, size, lines):
        for line in range(lines):
            text = "".join(generator.choice("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789 -./") for _ in range(generator.randint(5, 16)))
            patch = Image.new("L", (8 * len(text), 12), 255)
            ImageDraw.Draw(patch).text((0, 0), text, fill=0)
            scale = size * self.fine / 9
            patch = patch.resize((int(patch.width * scale), int(patch.height * scale)), Image.BILINEAR)
            self.picture.paste(patch, (int(x * self.fine), int((y + line * size * 1.4) * self.fine)))


def photograph(label, generator, size, module, tilt=0.0, roll=0.0, blur=0.0, noise=3.0, dark=40, light=210, shade=0.0,
               inverted=False, mirrored=False, motion=0.0):
    """A picture of the label, its middle in the middle of the frame; module is in pixels."""
    width, height = size
    lw, lh = label.picture.size
    scale = module / label.fine
    w, h = lw * scale / 2, lh * scale / 2
    angle = math.radians(roll)
    # Turned out of the plane about an axis at any angle, seen from three label sizes away.
    axis = generator.uniform(0, math.pi)
    depth = 3 * max(w, h)
    corners = []
    for x, y in ((-w, -h), (w, -h), (w, h), (-w, h)):
        x, y = x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)
        along, across = x * math.cos(axis) + y * math.sin(axis), -x * math.sin(axis) + y * math.cos(axis)
        z = across * math.sin(math.radians(tilt))
        across *= math.cos(math.radians(tilt))
        factor = depth / (depth + z)
        along, across = along * factor, across * factor
        x, y = along * math.cos(axis) - across * math.sin(axis), along * math.sin(axis) + across * math.cos(axis)
        corners.append((x + width / 2 + generator.uniform(-0.5, 0.5), y + height / 2 + generator.uniform(-0.5, 0.5)))
    over = 3 if module < 6 else 2
    source = ((0, 0), (lw, 0), (lw, lh), (0, lh))
    if mirrored:
        source = ((lw, 0), (0, 0), (0, lh), (lw, lh))
    coefficients = homography(source, [(x * over, y * over) for x, y in corners])
    print_ = label.picture
    big = print_.transform((width * over, height * over), Image.PERSPECTIVE, coefficients, Image.BILINEAR, fillcolor=254)
    # Where there is no label there is a desk.
    ground = Image.new("L", print_.size, 255).transform(
        (width * over, height * over), Image.PERSPECTIVE, coefficients, Image.NEAREST, fillcolor=0)
    ink = numpy.asarray(big.resize(size, Image.BOX), numpy.float32) / 255
    part = numpy.asarray(ground.resize(size, Image.BOX), numpy.float32) / 255
    if inverted:
        dark, light = light, dark
    desk = generator.uniform(60, 190)
    picture = part * (dark + (light - dark) * ink) + (1 - part) * desk
    if shade:
        direction = generator.uniform(0, 2 * math.pi)
        y, x = numpy.mgrid[0:height, 0:width].astype(numpy.float32)
        fall = ((x / width - 0.5) * math.cos(direction) + (y / height - 0.5) * math.sin(direction)) / 1.4 + 0.5
        picture *= 1 - shade * fall
    image = Image.fromarray(numpy.clip(picture, 0, 255).astype(numpy.uint8))
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    pixels = numpy.asarray(image, numpy.float32)
    if motion >= 1:
        steps, direction = int(math.ceil(motion)), generator.choice((0, 1))
        pixels = sum(numpy.roll(pixels, step, axis=direction) for step in range(steps + 1)) / (steps + 1)
    pixels = pixels + numpy.random.default_rng(generator.getrandbits(32)).normal(0, noise, pixels.shape)
    return Image.fromarray(numpy.clip(pixels + 0.5, 0, 255).astype(numpy.uint8))


def beside(generator, modules, zone, wordy=True, **drawing):
    """A label with one symbol and lines of text around it."""
    rows, columns = modules.shape
    label = Label(columns + 2 * zone + (30 if wordy else 0), rows + 2 * zone + (14 if wordy else 0),
                  fine=6 if max(rows, columns) <= 80 else 4)
    label.symbol(modules, zone, zone, **drawing)
    if wordy:
        label.words(generator, columns + 2 * zone, zone, 2.5, max(rows // 4, 2))
        label.words(generator, zone, rows + 2 * zone + 1, 2.5, 2)
    return label


KINDS = ["small", "tilt", "uneven light", "blur", "low contrast", "dark ground", "gaps", "dots", "narrow zone", "noise", "motion", "mix"]


def labels(generator, count):
    """Small symbols on labels, each picture hard in one way."""
    for number in range(count):
        kind = KINDS[number % len(KINDS)]
        text = hexadecimal(generator, generator.choice((8, 16, 32, 32)))
        zone, drawing = 2, {}
        look = dict(module=generator.uniform(2.5, 4), roll=generator.uniform(-180, 180), tilt=generator.uniform(0, 15),
                    blur=generator.uniform(0.3, 0.7))
        if kind == "small":
            look |= dict(module=generator.uniform(1.5, 2.4), blur=0.3)
        elif kind == "tilt":
            look |= dict(tilt=generator.uniform(30, 55))
        elif kind == "uneven light":
            look |= dict(shade=generator.uniform(0.5, 0.9))
        elif kind == "blur":
            look |= dict(blur=look["module"] * generator.uniform(0.35, 0.6))
        elif kind == "low contrast":
            dark = generator.randint(60, 120)
            look |= dict(dark=dark, light=dark + generator.randint(16, 50), noise=2)
        elif kind == "dark ground":
            look |= dict(inverted=True)
        elif kind == "gaps":
            drawing = dict(gap=generator.uniform(0.12, 0.35))
            look |= dict(module=generator.uniform(3, 8))
        elif kind == "dots":
            drawing = dict(gap=generator.uniform(0.05, 0.25), dots=True)
            look |= dict(module=generator.uniform(3, 8))
        elif kind == "narrow zone":
            zone = generator.uniform(0.7, 1)
        elif kind == "noise":
            look |= dict(noise=generator.uniform(10, 30))
        elif kind == "motion":
            look |= dict(motion=look["module"] * generator.uniform(0.3, 0.8))
        else:
            look |= dict(module=generator.uniform(2, 4), tilt=generator.uniform(10, 35), shade=generator.uniform(0, 0.6),
                         noise=generator.uniform(3, 10), inverted=generator.random() < 0.25)
        label = beside(generator, symbol(text, "--square"), zone, **drawing)
        yield kind, [text], photograph(label, generator, (640, 480), **look)


def trays(generator, count):
    """Many symbols in one picture, 12 to 64."""
    for number in range(count):
        columns, rows = [(4, 3), (6, 5), (8, 6), (8, 8)][number % 4]
        texts = [hexadecimal(generator, 16 if number % 8 < 4 else 32) for _ in range(columns * rows)]
        drawn = [symbol(text, "--square") for text in texts]
        side = drawn[0].shape[0]
        pitch = side + generator.uniform(3, 12)
        label = Label(columns * pitch + 4, rows * pitch + 4, fine=4)
        for index, one in enumerate(drawn):
            turned = numpy.rot90(one, generator.randint(0, 3)) if number % 2 else one
            label.symbol(turned, 3 + index % columns * pitch, 3 + index // columns * pitch)
        module = min(1240 / (columns * pitch + 4), 690 / (rows * pitch + 4), generator.uniform(1.8, 4))
        yield f"{columns * rows}", texts, photograph(
            label, generator, (1280, 720), module, tilt=generator.uniform(0, 12), roll=generator.uniform(-8, 8), blur=0.4)


def specimens(generator, count):
    """Drawers of a collection: labels with a symbol and text among boxes, lines and dark shapes, 6 to 20 in a large picture."""
    for number in range(count):
        size = (2400, 1600)
        canvas = Image.new("L", size, generator.randint(150, 235))
        draw = ImageDraw.Draw(canvas)
        columns, rows = generator.choice(((3, 2), (4, 3), (5, 4)))
        width, height = size[0] // columns, size[1] // rows
        texts = []
        for index in range(columns * rows):
            left, top = index % columns * width, index // columns * height
            draw.rectangle((left + 8, top + 8, left + width - 8, top + height - 8), outline=generator.randint(0, 120), width=5)
            for _ in range(12):
                x, y = left + generator.randint(30, width - 30), top + generator.randint(30, height - 30)
                r = generator.randint(8, 60)
                if generator.random() < 0.5:
                    draw.ellipse((x - r, y - r // 2, x + r, y + r // 2), fill=generator.randint(10, 120))
                else:
                    draw.line((x, y, x + generator.randint(-150, 150), y + generator.randint(-80, 80)),
                              fill=generator.randint(0, 140), width=generator.randint(1, 7))
            texts.append(hexadecimal(generator, generator.choice((8, 12, 32))))
            label = beside(generator, symbol(texts[-1], "--square"), 2)
            module = generator.uniform(2.2, 4.2) / label.fine
            printed = label.picture.rotate(generator.uniform(-180, 180), Image.BICUBIC, expand=True, fillcolor=255)
            printed = printed.resize((int(printed.width * module), int(printed.height * module)), Image.BOX)
            place = (left + generator.randint(20, max(21, width - printed.width - 20)),
                     top + generator.randint(20, max(21, height - printed.height - 20)))
            canvas.paste(printed.point(lambda v: 40 + v * 200 // 255), place)
        pixels = numpy.asarray(canvas.filter(ImageFilter.GaussianBlur(0.6)), numpy.float32)
        pixels = pixels + numpy.random.default_rng(generator.getrandbits(32)).normal(0, 4, pixels.shape)
        yield f"{columns * rows}", texts, Image.fromarray(numpy.clip(pixels, 0, 255).astype(numpy.uint8))


def files(generator, count):
    """Pictures that a program made: upright, hardly a quiet zone or none, modules of one to six pixels, of whole pixels or not."""
    for number in range(count):
        kind = ("whole pixels", "enlarged", "no zone", "one pixel", "dark ground")[number % 5]
        text = hexadecimal(generator, generator.randint(3, 40))
        modules = symbol(text, *generator.choice(((), ("--square",))))
        if number % 3 == 0:
            modules = numpy.rot90(modules, generator.randint(0, 3))
        zone = 0 if kind == "no zone" else generator.choice((1, 1, 2, 4))
        picture = numpy.pad(numpy.where(modules, 0, 255).astype(numpy.uint8), zone, constant_values=255)
        if kind == "dark ground":
            picture = 255 - picture
        image = Image.fromarray(picture)
        scale = 1 if kind == "one pixel" else generator.randint(2, 6)
        image = image.resize((image.width * scale, image.height * scale), Image.NEAREST)
        if kind == "enlarged":
            factor = generator.uniform(0.75, 1.6)
            image = image.resize((int(image.width * factor), int(image.height * factor)), Image.BILINEAR)
        yield kind, [text], image


def sized(generator, versions, each, options=(), fit=1000, **fixed):
    for version in versions:
        for number in range(each):
            rows, columns = symbol("12", f"--vers={version}", *options).shape
            # As many characters as the size holds for sure.
            text = hexadecimal(generator, max(3, rows * columns // 28 - 1))
            modules = symbol(text, f"--vers={version}", *options)
            long = max(modules.shape)
            look = dict(module=min(generator.uniform(2.5, 5), fit / (long * 1.1)), roll=generator.uniform(-25, 25),
                        tilt=generator.uniform(0, 20), blur=0.5) | fixed
            size = (1280, 960) if long > 60 else (640, 480)
            look["module"] = min(look["module"], 0.78 * size[1] / (modules.shape[0] + 6), 0.85 * size[0] / (long + 6))
            label = beside(generator, modules, 2, wordy=long < 60)
            yield f"{modules.shape[0]}x{modules.shape[1]}", [text], photograph(label, generator, size, **look)


def sizes(generator, count):
    """All sizes of ECC 200 from 52x52 on."""
    yield from sized(generator, range(15, 25), max(count // 30, 1))


def small_sizes(generator, count):
    """All sizes of ECC 200 below, and its rectangles."""
    yield from sized(generator, list(range(1, 15)) + RECTANGLES, max(count // 60, 1))


def extensions(generator, count):
    """The rectangular extensions (DMRE, ISO/IEC 21471)."""
    yield from sized(generator, EXTENSIONS, max(count // 30, 1), ("--dmre",))


def mirrored(generator, count):
    yield from sized(generator, [3, 5, 7, 9, 10, 12, 14, 16, 26, 29], max(count // 60, 1), mirrored=True)


# Options of zint, what it is given, what a reader says.
CONTENTS = [
    ("GS1", ["--gs1"], "[01]09501101530003[17]140704[10]AB-123[21]X1", "010950110153000317140704" + "10AB-123\x1d21X1"),
    ("ECI", ["--eci=26"], "Größe Δ", "Größe Δ"),
    ("structured append", ["--structapp=2,3,001005"], "part two of three", "part two of three"),
    ("macro 05", [], "[)>\\x1E05\\x1DPN12345\\x1E\\x04", "[)>\x1e05\x1dPN12345\x1e\x04"),
    ("macro 06", [], "[)>\\x1E06\\x1DPN12345\\x1DQ7\\x1E\\x04", "[)>\x1e06\x1dPN12345\x1dQ7\x1e\x04"),
    ("reader programming", ["--init"], "setting 12", "setting 12"),
    ("C40", [], "AIMAIMAIM ABCXYZ ABCDEFGHIJKLMN", "AIMAIMAIM ABCXYZ ABCDEFGHIJKLMN"),
    ("Text", [], "aimaimaim abcxyz abcdefghijklmn", "aimaimaim abcxyz abcdefghijklmn"),
    ("X12", [], "ABC>ABC123>AB*01 23456789>ZZ*", "ABC>ABC123>AB*01 23456789>ZZ*"),
    ("EDIFACT", [], ".A.C1E3.^_!?DATA.D^TA!!.A^!", ".A.C1E3.^_!?DATA.D^TA!!.A^!"),
    ("Base 256", ["--binary"], "\\x80\\x91\\xA2\\xB3\\xC4\\xD5\\xE6\\xF7\\x88\\x99", "\x80\x91\xa2\xb3\xc4\xd5\xe6\xf7\x88\x99"),
    ("digits", [], "0123456789012345678901234567890123456789", "0123456789012345678901234567890123456789"),
]


def contents(generator, count):
    """What a symbol can say besides text, and every encodation."""
    for number in range(max(count // 20, 1) * len(CONTENTS)):
        name, options, given, said = CONTENTS[number % len(CONTENTS)]
        label = beside(generator, symbol(given, "--square", *options), 2)
        yield name, [said], photograph(
            label, generator, (640, 480), generator.uniform(3, 5), roll=generator.uniform(-30, 30), tilt=10, blur=0.4)


SETS = {
    "labels": labels, "trays": trays, "specimens": specimens, "files": files, "sizes": sizes, "small-sizes": small_sizes, "extensions": extensions,
    "mirrored": mirrored, "contents": contents,
}


def write(folder, name, count, seed):
    generator = random.Random(f"{name} {seed}")
    place = os.path.join(folder, f"datamatrix-{name}")
    os.makedirs(place, exist_ok=True)
    entries = []
    for number, (kind, texts, picture) in enumerate(SETS[name](generator, count)):
        file = f"{number:04d}-{kind.replace(' ', '-')}.png"
        picture.save(os.path.join(place, file), compress_level=1)
        entries.append({"file": file, "symbology": "DATAMATRIX", "text": texts[0], "texts": texts, "kind": kind})
    with open(os.path.join(place, "manifest.json"), "w") as manifest:
        json.dump(entries, manifest, indent=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=120, help="pictures of the largest set")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sets", default=",".join(SETS), help="only these, with commas between")
    parser.add_argument("folder")
    arguments = parser.parse_args()
    chosen = arguments.sets.split(",")
    if unknown := [name for name in chosen if name not in SETS]:
        sys.exit(f"error: there is no set {unknown[0]}: {', '.join(SETS)}")
    for name in chosen:
        write(arguments.folder, name, max(arguments.count // 5, 1) if name in ("trays", "specimens") else arguments.count, arguments.seed)
