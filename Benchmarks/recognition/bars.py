"""Draws pictures of linear codes that are hard in one way each, with a manifest.json, for Benchmarks/run recognition.

  bars.py --symbology code128|code39|code93 --count N [--seed N] FOLDER

Bars are drawn by their exact share of each pixel, then softened, lit and made noisy; the same seed draws the same pictures.
"""
import argparse
import json
import os

import cv2
import numpy
from PIL import Image

CODE128 = (
    "212222 222122 222221 121223 121322 131222 122213 122312 132212 221213 221312 231212 112232 122132 122231 "
    "113222 123122 123221 223211 221132 221231 213212 223112 312131 311222 321122 321221 312212 322112 322211 "
    "212123 212321 232121 111323 131123 131321 112313 132113 132311 211313 231113 231311 112133 112331 132131 "
    "113123 113321 133121 313121 211331 231131 213113 213311 213131 311123 311321 331121 312113 312311 332111 "
    "314111 221411 431111 111224 111422 121124 121421 141122 141221 112214 112412 122114 122411 142112 142211 "
    "241211 221114 413111 241112 134111 111242 121142 121241 114212 124112 124211 411212 421112 421211 212141 "
    "214121 412121 111143 111341 131141 114113 114311 411113 411311 113141 114131 311141 411131 211412 211214 "
    "211232 2331112").split()
CODE39 = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. *", (
    "nnnwwnwnn wnnwnnnnw nnwwnnnnw wnwwnnnnn nnnwwnnnw wnnwwnnnn nnwwwnnnn nnnwnnwnw wnnwnnwnn nnwwnnwnn wnnnnwnnw "
    "nnwnnwnnw wnwnnwnnn nnnnwwnnw wnnnwwnnn nnwnwwnnn nnnnnwwnw wnnnnwwnn nnwnnwwnn nnnnwwwnn wnnnnnnww nnwnnnnww "
    "wnwnnnnwn nnnnwnnww wnnnwnnwn nnwnwnnwn nnnnnnwww wnnnnnwwn nnwnnnwwn nnnnwnwwn wwnnnnnnw nwwnnnnnw wwwnnnnnn "
    "nwnnwnnnw wwnnwnnnn nwwnwnnnn nwnnnnwnw wwnnnnwnn nwwnnnwnn nwnnwnwnn").split()))
CODE93 = (
    "131112 111213 111312 111411 121113 121212 121311 111114 131211 141111 211113 211212 211311 221112 221211 231111 "
    "112113 112212 112311 122112 132111 111123 111222 111321 121122 131121 212112 212211 211122 211221 221121 222111 "
    "112122 112221 122121 123111 121131 311112 311211 321111 112131 113121 211131 121221 312111 311121 122211"
).split()
# What each picture is hard by, and its five grades.
KINDS = {
    "small": [2.4, 2.0, 1.75, 1.5, 1.3],
    "soft": [0.4, 0.55, 0.7, 0.8, 0.9],
    "thin": [-0.15, -0.25, -0.35, -0.42, -0.5],
    "thick": [0.15, 0.25, 0.35, 0.42, 0.5],
    "faint": [60, 40, 28, 20, 14],
    "noisy": [10, 16, 24, 32, 40],
    "dark-ground": [3.5, 2.8, 2.2, 1.8, 1.5],
    "turned": [3.5, 2.8, 2.2, 1.8, 1.5],
    "several": [3.0, 2.5, 2.0, 1.75, 1.5],
    "clutter": [3.0, 2.5, 2.0, 1.75, 1.5],
    "low": [24, 16, 12, 8, 6],
}


def widths(symbology, text, ratio):
    """Dark and light in turns, in modules, without quiet zones."""
    if symbology == "code128":
        values = [104] + [ord(letter) - 32 for letter in text]
        values.append((values[0] + sum(i * v for i, v in enumerate(values))) % 103)
        return [float(w) for v in values + [106] for w in CODE128[v]]
    if symbology == "code93":
        values = ["0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%".index(letter) for letter in text]
        for most in (20, 15):
            values.append(sum(v * (i % most + 1) for i, v in enumerate(reversed(values))) % 47)
        return [float(w) for word in ["111141"] + [CODE93[v] for v in values] + ["1111411"] for w in word]
    bars = []
    for letter in f"*{text}*":
        bars += [ratio if element == "w" else 1.0 for element in CODE39[letter]] + [1.0]
    return bars[:-1]


class Label:
    """A code's place: its middle, its angle, its size."""

    def __init__(self, bars, module, height, middle, angle, gain):
        edges = numpy.cumsum([0] + bars)
        edges -= edges[-1] / 2
        # Ink that spreads makes bars wider on both sides.
        edges[0::2] -= gain / 2
        edges[1::2] += gain / 2
        self.edges, self.module, self.height, self.middle = edges * module, module, height, middle
        self.cos, self.sin = numpy.cos(numpy.radians(angle)), numpy.sin(numpy.radians(angle))

    def half(self):
        return self.edges[-1] + 11 * self.module, self.height / 2 + 8

    def draw(self, picture, ink, paper):
        high, wide = picture.shape
        reach = numpy.hypot(*self.half()) + 2
        left, right = max(int(self.middle[0] - reach), 0), min(int(self.middle[0] + reach) + 1, wide)
        top, bottom = max(int(self.middle[1] - reach), 0), min(int(self.middle[1] + reach) + 1, high)
        x, y = numpy.meshgrid(numpy.arange(left, right) + 0.5, numpy.arange(top, bottom) + 0.5)
        across = (x - self.middle[0]) * self.cos + (y - self.middle[1]) * self.sin
        along = (y - self.middle[1]) * self.cos - (x - self.middle[0]) * self.sin
        foot = max(abs(self.cos), abs(self.sin))
        inked = numpy.concatenate([[self.edges[0] - 1e4], self.edges])
        total = numpy.concatenate([[0, 0], numpy.cumsum(numpy.diff(self.edges) * (numpy.arange(len(self.edges) - 1) % 2 == 0))])
        dark = (numpy.interp(across + foot / 2, inked, total) - numpy.interp(across - foot / 2, inked, total)) / foot
        dark *= numpy.clip(self.height / 2 - abs(along) + 0.5, 0, 1)
        half = self.half()
        label = numpy.clip(half[0] - abs(across) + 0.5, 0, 1) * numpy.clip(half[1] - abs(along) + 0.5, 0, 1)
        part = picture[top:bottom, left:right]
        part += (paper + (ink - paper) * dark - part) * label


def ground(random, size, is_cluttered):
    picture = numpy.full(size[::-1], random.uniform(90, 190))
    if not is_cluttered:
        return picture
    for _ in range(60):
        x, y = random.integers(0, size[0]), random.integers(0, size[1])
        w, h = random.integers(8, 200), random.integers(6, 120)
        kind, level = random.integers(0, 3), random.uniform(10, 245)
        part = picture[y:y + h, x:x + w]
        if kind == 0:
            part[:] = level
        elif kind == 1:
            part[:, ::random.integers(3, 9)] = level
        else:
            part[:] += random.uniform(-90, 90) * (random.random(part.shape) > 0.6)
    return cv2.GaussianBlur(picture, (0, 0), 0.8)


def scene(symbology, kind, grade, seed):
    """A picture and its texts."""
    random = numpy.random.default_rng([seed, sorted(KINDS).index(kind), grade])
    value = KINDS[kind][grade - 1]
    digits = int(random.choice([8, 12, 16, 32] if symbology != "code39" else [8, 10, 16, 32]))
    module, gain, soft, noise, contrast, height = random.uniform(2.2, 3.2), 0.0, 0.25, 3.0, 150.0, 80.0
    ratio = float(random.choice([2.0, 2.5, 3.0]))
    angle, is_dark, count, spread = random.uniform(-4, 4), False, 1, 0.0
    if kind in ("small", "dark-ground", "turned", "several", "clutter"):
        module = value
    if kind in ("soft", "thin", "thick"):
        gain = value if kind != "soft" else random.uniform(-0.2, 0.2)
        soft = value if kind == "soft" else 0.35
    contrast = value if kind == "faint" else contrast
    noise = value if kind == "noisy" else min(noise, contrast / 12)
    is_dark = kind == "dark-ground"
    height = value if kind == "low" else height
    if kind == "turned":
        angle = random.uniform(0, 360)
    if kind == "several":
        count, digits, height = int(random.integers(3, 7)), 8, 50.0
    size = (1280, 720)
    picture = ground(random, size, kind in ("clutter", "several"))
    paper = random.uniform(max(contrast + 20, 120), 235)
    ink, texts = paper - contrast, []
    if is_dark:
        ink, paper = paper, ink
    for index in range(count):
        text = "".join(random.choice(list("0123456789ABCDEF"), digits))
        bars = widths(symbology, text, ratio)
        # As large as fits.
        fitting = min(module, 1180 / (sum(bars) + 22)) if kind != "turned" else min(module, 680 / (sum(bars) + 22))
        middle = (random.uniform(630, 650), random.uniform(300, 420))
        if count > 1:
            # Each in a row of its own.
            middle = (random.uniform(560, 720), 720 * (index + 0.5) / count + random.uniform(-6, 6))
        Label(bars, fitting, height, middle, angle, gain).draw(picture, ink, paper)
        texts.append(text)
    picture = cv2.GaussianBlur(picture, (0, 0), max(soft * module, 0.45))
    picture *= numpy.linspace(1, random.uniform(0.75, 1), size[0])
    picture += random.normal(0, noise, picture.shape)
    return numpy.clip(picture + 0.5, 0, 255).astype(numpy.uint8), texts, fitting


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbology", choices=["code128", "code39", "code93"], required=True)
    parser.add_argument("--count", type=int, default=110)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("folder")
    arguments = parser.parse_args()
    os.makedirs(arguments.folder, exist_ok=True)
    entries = []
    for number in range(arguments.count):
        kinds = list(KINDS)
        kind = kinds[number % len(kinds)]
        grade = (number // len(kinds) + number) % 5 + 1
        picture, texts, module = scene(arguments.symbology, kind, grade, arguments.seed * 100_003 + number)
        name = f"{number:05}-{kind}-{grade}.png"
        Image.fromarray(picture).save(os.path.join(arguments.folder, name), compress_level=1)
        entries.append({
            "file": name, "symbology": arguments.symbology.upper(), "text": texts[0], "texts": texts,
            "scene": {"degradation": kind, "grade": grade, "module": round(module, 3)},
        })
    with open(os.path.join(arguments.folder, "manifest.json"), "w") as manifest:
        json.dump(entries, manifest, indent=0)


if __name__ == "__main__":
    main()
