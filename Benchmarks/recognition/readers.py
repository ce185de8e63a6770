"""The readers that are compared: each takes a grey picture and gives (texts, milliseconds of CPU time).

Every reader is asked for the symbologies of the picture's set only; converting the picture into what a library wants is
its caller's work and not counted, unless the library does it itself."""
import json
import subprocess
import time

import numpy

QR, DATA_MATRIX, LINEAR = "qr", "datamatrix", "linear"
LINEAR_NAMES = ("code128", "code93", "code39")


def timed(call):
    start = time.process_time()
    result = call()
    return result, [(time.process_time() - start) * 1e3]


class ThisReader:
    """Our own reader in its process; the picture is told by its file."""

    def __init__(self, program, kind="still"):
        self.kind = kind
        self.process = subprocess.Popen([program, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def reads(self, symbologies):
        return True

    def read(self, picture, file, symbologies):
        names = []
        for name in symbologies:
            names += LINEAR_NAMES if name == LINEAR else (name,)
        self.process.stdin.write(f"{self.kind}\t{','.join(names)}\t{file}\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline() or '{"error": "the reader has ended"}')
        if "error" in answer:
            raise RuntimeError(f"{file}: {answer['error']}")
        return [bytes.fromhex(text) for _, text in answer["codes"]], answer["ms"]


class ZXing:
    def __init__(self, fast=False):
        import zxingcpp

        self.zxing = zxingcpp
        self.options = dict(try_rotate=False, try_downscale=False, try_invert=False) if fast else {}
        f = zxingcpp.BarcodeFormat
        self.formats = {QR: [f.QRCode], DATA_MATRIX: [f.DataMatrix], LINEAR: [f.Code128, f.Code93, f.Code39]}

    def reads(self, symbologies):
        return True

    def read(self, picture, file, symbologies):
        formats = [one for name in symbologies for one in self.formats[name]]
        found, ms = timed(lambda: self.zxing.read_barcodes(picture, formats=formats, **self.options))
        return [(code.text, code.bytes) for code in found], ms


class ZBar:
    """Through pyzbar, as people call it."""

    def __init__(self):
        from pyzbar import pyzbar

        self.pyzbar = pyzbar
        s = pyzbar.ZBarSymbol
        self.symbols = {QR: [s.QRCODE], LINEAR: [s.CODE128, s.CODE93, s.CODE39]}

    def reads(self, symbologies):
        return any(name in self.symbols for name in symbologies)

    def read(self, picture, file, symbologies):
        symbols = [one for name in symbologies for one in self.symbols.get(name, [])]
        raw = (picture.tobytes(), picture.shape[1], picture.shape[0])
        found, ms = timed(lambda: self.pyzbar.decode(raw, symbols=symbols))
        return [code.data for code in found], ms


class OpenCV:
    def __init__(self):
        import cv2

        cv2.setNumThreads(1)
        self.error = cv2.error
        self.detector = cv2.QRCodeDetector()

    def reads(self, symbologies):
        return QR in symbologies

    def read(self, picture, file, symbologies):
        def call():
            try:
                return self.detector.detectAndDecodeMulti(picture)[1]
            except (self.error, UnicodeDecodeError):
                return []

        found, ms = timed(call)
        return [text for text in found if text], ms


class Quirc:
    """quirc 1.2 from the wheel of deqr: Debian 12 has no package of it."""

    def __init__(self):
        import deqr

        self.deqr = deqr
        self.decoder = deqr.QuircDecoder()

    def reads(self, symbologies):
        return QR in symbologies

    def read(self, picture, file, symbologies):
        # It overwrites the picture.
        copy = numpy.ascontiguousarray(picture).copy()
        found, ms = timed(lambda: self.decoder.decode(copy, convert_data=False))
        return [b"".join(bytes(entry.data) for entry in code.data_entries) for code in found], ms


class LibDMTX:
    """Through pylibdmtx; None is all the time it wants."""

    def __init__(self, timeout=None):
        from pylibdmtx import pylibdmtx

        self.decode = pylibdmtx.decode
        self.timeout = timeout

    def reads(self, symbologies):
        return symbologies == [DATA_MATRIX]

    def read(self, picture, file, symbologies):
        raw = (picture.tobytes(), picture.shape[1], picture.shape[0])
        found, ms = timed(lambda: self.decode(raw, timeout=self.timeout, max_count=1))
        return [code.data for code in found], ms


def make(program):
    """All readers by their names, in the order of the tables."""
    return {
        "this": lambda: ThisReader(program),
        "this-stream": lambda: ThisReader(program, "stream"),
        "zxing-cpp": lambda: ZXing(),
        "zxing-cpp-fast": lambda: ZXing(fast=True),
        "zbar": lambda: ZBar(),
        "quirc": lambda: Quirc(),
        "opencv": lambda: OpenCV(),
        "libdmtx": lambda: LibDMTX(),
    }
