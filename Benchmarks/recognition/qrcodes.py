"""Draws pictures of QR codes beyond the usual, with a manifest.json each, for Benchmarks/run recognition.

  qrcodes.py --count N [--seed N] FOLDER

FOLDER/qr-large: versions 20 to 40 at all levels, modules of 3 and 4 pixels, rolled, half of them leaning back; FOLDER/qr-covered:
a nonce's code of which one finder pattern is covered, rolled, some leaning. The same seed draws the same pictures.
"""
import argparse
import json
import math
import os

import numpy
import segno
from PIL import Image, ImageFilter

QUIET = 4


def symbol(code):
    """Modules with their quiet zone, 8 pixels each."""
    modules = numpy.array([[0 if dark else 255 for dark in row] for row in code.matrix], dtype=numpy.uint8)
    return numpy.kron(numpy.pad(modules, QUIET, constant_values=255), numpy.ones((8, 8), dtype=numpy.uint8))


def projection(source, target):
    """The coefficients by which PIL maps target to source."""
    rows, values = [], []
    for (u, v), (x, y) in zip(source, target):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return numpy.linalg.solve(numpy.array(rows), numpy.array(values))


def photograph(generator, pixels, module, lean):
    """As a camera sees it: rolled, leaning back, soft, unevenly lit, noisy."""
    side = len(pixels) / 8 * module
    size = int(side * 1.55) + 60
    roll = math.radians(generator.uniform(0, 90))
    corners = []
    for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
        across, down = x * side / 2, y * side / 2
        across, down = (across * math.cos(roll) - down * math.sin(roll), across * math.sin(roll) + down * math.cos(roll))
        depth = 1 + lean * down / side
        corners.append((size / 2 + across / depth, size / 2 + down * math.cos(lean) / depth))
    edge = len(pixels)
    a, b, c, d, e, f, g, h = projection([(0, 0), (edge, 0), (edge, edge), (0, edge)], corners)
    # Twice as large first, so that pixels are means.
    image = Image.fromarray(pixels).transform(
        (2 * size, 2 * size), Image.PERSPECTIVE, [a / 2, b / 2, c, d / 2, e / 2, f, g / 2, h / 2], Image.BILINEAR,
        fillcolor=200)
    image = image.resize((size, size), Image.BOX).filter(ImageFilter.GaussianBlur(0.7))
    light = numpy.linspace(0.75, 1.0, size)[None, :]
    grey = 40 + numpy.asarray(image, dtype=float) * 0.7 * light + generator.normal(0, 4, (size, size))
    return Image.fromarray(grey.clip(0, 255).astype(numpy.uint8))


def digits(generator, count):
    return "".join("0123456789ABCDEF"[i] for i in generator.integers(0, 16, count))


def large(generator, number):
    version, level = 20 + number * 7 % 21, "LMQH"[number % 4]
    text = digits(generator, 300)
    code = segno.make(text, version=version, error=level, boost_error=False)
    module, lean = (3.0, 4.0)[number // 4 % 2], (0, 0.3)[number // 8 % 2]
    return photograph(generator, symbol(code), module, lean), text, {"version": version, "module": module, "lean": lean}


def covered(generator, number):
    text = digits(generator, 32)
    code = segno.make(text, error="LMQH"[number % 4], boost_error=False)
    pixels = symbol(code)
    first, last = QUIET * 8, len(pixels) - (QUIET + 8) * 8
    top, left = ((first, first), (first, last), (last, first))[number % 3]
    pixels[top:top + 64, left:left + 64] = (255, 150, 0)[number // 3 % 3]
    module, lean = (3.0, 4.0, 6.0)[number // 4 % 3], (0, 0.15, 0.3)[number // 9 % 3]
    return photograph(generator, pixels, module, lean), text, {"module": module, "lean": lean}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=120, help="pictures of each set (120)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder")
    arguments = parser.parse_args()
    for name, draw in (("qr-large", large), ("qr-covered", covered)):
        folder = os.path.join(arguments.folder, name)
        os.makedirs(folder, exist_ok=True)
        entries = []
        for number in range(arguments.count):
            picture, text, drawn = draw(numpy.random.default_rng([arguments.seed, number]), number)
            picture.save(os.path.join(folder, f"{number:05}.png"), compress_level=1)
            entries.append({"file": f"{number:05}.png", "symbology": "QRCODE", "text": text, "drawn": drawn})
        with open(os.path.join(folder, "manifest.json"), "w") as manifest:
            json.dump(entries, manifest, indent=0)


if __name__ == "__main__":
    main()
