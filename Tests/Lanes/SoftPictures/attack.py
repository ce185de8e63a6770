#!/usr/bin/env python3
"""Puts the pictures that PlainCodeTests leaves in a folder (SRUP_SOFT_PICTURES) to zxing-cpp, as they are and as somebody
would work on them who wants to read them. Needs: pip install zxing-cpp numpy pillow."""
import collections, pathlib, sys
import numpy, zxingcpp
from PIL import Image, ImageFilter, ImageOps

read, count = collections.Counter(), 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.pgm")):
    picture = Image.open(path)
    if path.stem.endswith("frame"): continue
    count += 1
    w, h = picture.size
    wide = ImageOps.autocontrast(picture)
    attacks = {
        "as it is": picture, "contrast": wide, "equalised": ImageOps.equalize(picture),
        "x2": wide.resize((2 * w, 2 * h), Image.BICUBIC), "x4": wide.resize((4 * w, 4 * h), Image.LANCZOS),
        "unsharp 3": wide.filter(ImageFilter.UnsharpMask(3, 300, 0)),
        "unsharp 8": wide.filter(ImageFilter.UnsharpMask(8, 400, 0)),
        "unsharp 16": wide.filter(ImageFilter.UnsharpMask(16, 500, 0)),
        "x2 unsharp 16": wide.resize((2 * w, 2 * h), Image.BICUBIC).filter(ImageFilter.UnsharpMask(16, 500, 0)),
    }
    local = numpy.asarray(wide, dtype=float) - numpy.asarray(wide.filter(ImageFilter.GaussianBlur(12)), dtype=float)
    attacks["local threshold"] = Image.fromarray(((local > 0) * 255).astype("uint8"))
    for name, attack in attacks.items():
        if zxingcpp.read_barcodes(attack):
            read[name] += 1
            print(f"{path.stem}: read ({name})")
print(f"{count} pictures, read: {dict(read) or 'none'}")
sys.exit(1 if read else 0)
