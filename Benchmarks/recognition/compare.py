"""Runs every reader over every picture, one reader after the other on the same picture, and writes what each said and how
long it took to results.json. Called by Benchmarks/run recognition."""
import argparse
import json
import os
import subprocess
import sys

import numpy
from PIL import Image

import readers

SYMBOLOGIES = {
    "QRCODE": [readers.QR],
    "DATAMATRIX": [readers.DATA_MATRIX],
    "CODE128": [readers.LINEAR],
    "CODE93": [readers.LINEAR],
    "CODE39": [readers.LINEAR],
    # Where there is no code, everything is looked for.
    "NONE": [readers.QR, readers.LINEAR, readers.DATA_MATRIX],
}


def pictures(folder):
    """The entries of a folder's manifest: file, symbology, text (null: no code), and scene for drawn ones."""
    with open(os.path.join(folder, "manifest.json")) as manifest:
        entries = json.load(manifest)
    for entry in entries:
        if entry["symbology"] in SYMBOLOGIES:
            yield entry


def same(said, text):
    """Whether a reader's answer, a string, its bytes or several ways to say it, is the manifest's text."""
    if isinstance(said, tuple):
        return any(same(one, text) for one in said)
    if isinstance(said, str):
        return said.strip() == text.strip()
    for encoding in ("utf-8", "latin-1", "shift_jis", "gbk", "iso8859-7"):
        try:
            if said.decode(encoding).strip() == text.strip():
                return True
        except UnicodeDecodeError:
            pass
    return False


def words(said):
    said = said[-1] if isinstance(said, tuple) else said
    return said if isinstance(said, str) else said.decode("utf-8", "backslashreplace")


def one(reader, picture, file, symbologies, texts):
    """Right is a picture when all its codes are read; several are counted."""
    said, ms = reader.read(picture, file, symbologies)
    found = sum(any(same(answer, text) for answer in said) for text in texts)
    wrong = [words(answer) for answer in said if not any(same(answer, text) for text in texts)]
    return {"right": 0 < len(texts) == found, "found": found, "wrong": wrong, "ms": [round(value, 4) for value in ms]}


def run(arguments):
    makers = readers.make(arguments.program)
    # The still reader's own times in a scene without a code are those of one symbology, as of the others.
    names = [name for name in arguments.readers.split(",")] if arguments.readers else list(makers)
    unknown = [name for name in names if name not in makers]
    if unknown:
        sys.exit(f"error: there is no reader {unknown[0]}: {', '.join(makers)}")
    chosen = {name: makers[name]() for name in names}
    records = []
    for folder in arguments.folders:
        entries = list(pictures(folder))[:: arguments.every]
        for number, entry in enumerate(entries):
            file = os.path.join(os.path.abspath(folder), entry["file"])
            picture = numpy.ascontiguousarray(Image.open(file).convert("L"))
            # A folder in the folder is a set of its own; a drawn folder is one, and one more for what has no code.
            set_name = os.path.basename(os.path.normpath(folder))
            if "/" in entry["file"]:
                set_name = f"{set_name}/{entry['file'].split('/')[0]}"
            elif entry["text"] is None:
                set_name += " without code"
            record = {
                "set": set_name, "file": file, "symbology": entry["symbology"], "drawn": "scene" in entry,
                "scene": entry.get("scene"), "size": list(picture.shape[::-1]), "readers": {},
            }
            texts = entry.get("texts") or ([] if entry["text"] is None else [entry["text"]])
            if "kind" in entry:
                record |= {"codes": len(texts), "kind": entry["kind"]}
            symbologies = SYMBOLOGIES[entry["symbology"]]
            for name, reader in chosen.items():
                if name == "this-stream" and entry["text"] is not None:
                    continue
                # Slow where there is nothing: seconds a picture.
                if name == "libdmtx" and (entry["symbology"] != "DATAMATRIX" or number % arguments.libdmtx_every):
                    continue
                if reader.reads(symbologies):
                    record["readers"][name] = one(reader, picture, file, symbologies, texts)
            if entry["symbology"] == "NONE" and record["drawn"]:
                # The time that a reader takes to see that there is no QR code.
                for name, reader in chosen.items():
                    if reader.reads([readers.QR]) and name != "this-stream":
                        record["readers"][name + " (QR only)"] = one(reader, picture, file, [readers.QR], [])
            records.append(record)
            if number % 50 == 49:
                print(f"  {os.path.basename(os.path.normpath(folder))}: {number + 1} of {len(entries)}", file=sys.stderr)
    streams = []
    if arguments.streams:
        print("  streams", file=sys.stderr)
        output = subprocess.run(
            [arguments.program, "streams", str(arguments.streams)], check=True, capture_output=True, text=True).stdout
        streams = [json.loads(line) for line in output.splitlines()]
    with open(arguments.output, "w") as output:
        json.dump({"pictures": records, "streams": streams}, output)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True, help="recognition-benchmark, our own reader")
    parser.add_argument("--output", required=True)
    parser.add_argument("--readers", help="only these, with commas between")
    parser.add_argument("--every", type=int, default=1, help="only every nth picture")
    # Not five: of the drawn pictures every fifth has the same grade.
    parser.add_argument("--libdmtx-every", type=int, default=4, help="libdmtx reads only every nth picture")
    parser.add_argument("--streams", type=int, default=3, help="seeds of the streams; 0: none")
    parser.add_argument("folders", nargs="+")
    run(parser.parse_args())
