"""Prints the tables and the bars (Benchmarks/README.md) from results.json, and draws the plots. Called by Benchmarks/run recognition."""
import argparse
import json
import os
import statistics

import plots

US, PEER = "this", "zxing-cpp"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else float("nan")


def median(values):
    return statistics.median(values) if values else float("nan")


def times(records, name):
    return [ms for record in records if name in record["readers"] for ms in record["readers"][name]["ms"]]


def with_reader(records, name):
    return [record for record in records if name in record["readers"]]


def recall(records, name):
    read = with_reader(records, name)
    return 100 * sum(record["readers"][name]["right"] for record in read) / len(read) if read else float("nan")


def wrong(records, name):
    return sum(bool(record["readers"][name]["wrong"]) for record in with_reader(records, name))


def groups(records):
    """Sets for the tables: drawn ones by folder, photographs by symbology."""
    found = {}
    for record in records:
        if record["drawn"] or "codes" in record:
            name = "drawn " + record["set"]
        else:
            name = "photographs " + ("without code" if record["symbology"] == "NONE" else record["symbology"])
        found.setdefault(name, []).append(record)
    return found


def print_tables(records):
    names = list(dict.fromkeys(name for record in records for name in record["readers"]))
    for title, group in groups(records).items():
        print(f"\n{title} ({len(group)} pictures)\n")
        print("| reader | pictures | read | wrong | median ms | 95 % ms |\n|---|---|---|---|---|---|")
        for name in names:
            read = with_reader(group, name)
            if not read:
                continue
            share = "" if group[0]["symbology"] == "NONE" else f"{recall(group, name):.1f} %"
            spent = times(group, name)
            print(f"| {name} | {len(read)} | {share} | {wrong(group, name)} "
                  f"| {median(spent):.2f} | {percentile(spent, 0.95):.2f} |")
    print_codes(records)
    print_degradations(records)


def print_codes(records):
    """Of pictures with several codes how many are read; a line for each set."""
    counted = [record for record in records if "codes" in record]
    for title, group in groups(counted).items():
        for name in (US, PEER):
            read = with_reader(group, name)
            if read:
                print(f"{title}: {name} {sum(r['readers'][name]['found'] for r in read)} of {sum(r['codes'] for r in read)} "
                      f"codes, median {median(times(read, name)):.2f} ms")


def print_degradations(records):
    drawn = [record for record in records if record["drawn"] and record["symbology"] == "QRCODE"]
    names = [name for name in dict.fromkeys(name for record in drawn for name in record["readers"])]
    if not drawn:
        return
    print("\nQR codes in drawn scenes, read of each kind (%)\n")
    print("| | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for kind in dict.fromkeys(record["scene"]["degradation"] for record in drawn):
        group = [record for record in drawn if record["scene"]["degradation"] == kind]
        print(f"| {kind} | " + " | ".join(f"{recall(group, name):.0f}" for name in names) + " |")


def stream_threshold(streams):
    """The module that a single frame needs to be read, in pixels: the smallest at which nine of ten are."""
    enough = []
    for module in sorted({stream["module"] for stream in streams}):
        of = [stream for stream in streams if stream["module"] == module]
        total = sum(stream["stills"] for stream in of)
        if total and sum(stream["stillsRight"] for stream in of) >= 0.9 * total:
            enough.append(module)
    return min(enough) if enough else None


def delays(streams):
    """Frames from the first readable one to the sighting, both counted; never is infinity."""
    found = []
    for stream in streams:
        if stream["readable"] is not None:
            seen = stream["sighted"]
            found.append(float("inf") if seen is None else max(0, seen - stream["readable"]) + 1)
    return found


def print_streams(streams):
    if not streams:
        return
    print("\nStreams of drawn frames at 640x480, 30 per second\n")
    print("| module, px | streams | sighted | frames to the sighting, median | single frames read | wrong "
          "| median ms a frame | 95 % |\n|---|---|---|---|---|---|---|---|")
    for module in sorted({stream["module"] for stream in streams}, reverse=True):
        of = [stream for stream in streams if stream["module"] == module]
        spent = [ms for stream in of for ms in stream["ms"]]
        stills = sum(stream["stills"] for stream in of)
        print(f"| {module:.2f} | {len(of)} | {sum(stream['sighted'] is not None for stream in of)} "
              f"| {median(delays(of)):.1f} | {100 * sum(s['stillsRight'] for s in of) / max(stills, 1):.0f} % "
              f"| {sum(stream['wrong'] for stream in of)} | {median(spent):.2f} | {percentile(spent, 0.95):.2f} |")


class Bars:
    """One line per bar: whether it holds, and the numbers."""

    def __init__(self):
        self.failed = 0

    def check(self, holds, text):
        self.failed += not holds
        print(f"{'holds ' if holds else 'FAILS '} {text}")

    def missing(self, text):
        print(f"  --    {text}: not measured in this run")


def print_bars(records, streams):
    print("\nBars (Benchmarks/README.md)\n")
    bars = Bars()
    photographs = [r for r in records if not r["drawn"]]
    qr = [r for r in photographs if r["symbology"] == "QRCODE" and PEER in r["readers"] and US in r["readers"]]
    if qr:
        bars.check(recall(qr, US) >= recall(qr, PEER),
                   f"QR photographs: {recall(qr, US):.1f} % read, {PEER} {recall(qr, PEER):.1f} %")
    else:
        bars.missing("QR photographs")
    check_drawn(bars, records)
    check_wrong(bars, records, photographs)
    check_times(bars, records)
    check_streams(bars, streams)
    check_data_matrix(bars, records)
    check_linear(bars, photographs)
    return bars.failed


def check_drawn(bars, records):
    for title, group in groups(records).items():
        group = [r for r in group if r["drawn"] and r["symbology"] == "QRCODE" and PEER in r["readers"]]
        if group and US in group[0]["readers"]:
            ours, theirs = recall(group, US), recall(group, PEER)
            bars.check(70 <= theirs <= 80, f"{title}: as hard as meant ({PEER} between 70 and 80 %): {theirs:.1f} %")
            bars.check(ours >= theirs + 12, f"{title}: at least 12 points above {PEER}: {ours - theirs:+.1f} ({ours:.1f} %)")


def check_wrong(bars, records, photographs):
    coded = [r for r in records if r["symbology"] != "NONE" and US in r["readers"] and PEER in r["readers"]]
    if coded:
        ours = [r for r in coded
                if any(text not in r["readers"][PEER]["wrong"] for text in r["readers"][US]["wrong"])]
        bars.check(not ours, f"wrong readings that {PEER} does not make: {len(ours)} of {len(coded)} pictures")
        for record in ours[:5]:
            print(f"          {record['file']}: {record['readers'][US]['wrong']}")
    for title, group in (("photographs without a code", [r for r in photographs if r["symbology"] == "NONE"]),
                         ("drawn scenes without a code", [r for r in records if r["drawn"] and r["symbology"] == "NONE"])):
        if group and US in group[0]["readers"]:
            bars.check(wrong(group, US) == 0, f"{title}: {wrong(group, US)} of {len(group)} gave a reading")


def check_times(bars, records):
    readable = [r for r in records if r["drawn"] and r["symbology"] == "QRCODE" and r["size"] == [1280, 720]
                and all(name in r["readers"] and r["readers"][name]["right"] for name in (US, PEER))]
    if readable:
        ours, theirs = median(times(readable, US)), median(times(readable, PEER))
        bars.check(ours <= theirs, f"a readable 1280x720 frame ({len(readable)} that both read): "
                                   f"median {ours:.2f} ms, {PEER} {theirs:.2f} ms, ratio {ours / theirs:.2f}")
    else:
        bars.missing("time of a readable 1280x720 frame")
    for size, limit in (([640, 480], 5), ([1280, 720], 10)):
        group = [r for r in records if r["drawn"] and r["symbology"] == "NONE" and r["size"] == size]
        # As the observer reads: a frame of a stream, every kind of code looked for.
        spent = times(group, "this-stream")
        if spent:
            middle, late = median(spent), percentile(spent, 0.95)
            bars.check(middle <= limit and late <= 2 * limit,
                       f"a frame without a code in clutter, {size[0]}x{size[1]}: median {middle:.2f} ms (at most {limit}), "
                       f"95 % {late:.2f} ms (at most {2 * limit})")
        # A picture that comes alone is searched to the end; nobody waits for its next frame.
        spent, peer = times(group, US + " (QR only)"), times(group, PEER + " (QR only)")
        if spent and peer:
            print(f"  (a single picture without a code in clutter, {size[0]}x{size[1]}, QR only: median {median(spent):.2f} ms, "
                  f"{PEER} {median(peer):.2f} ms)")


def check_streams(bars, streams):
    single = stream_threshold(streams)
    if single is None:
        bars.missing("streams")
        return
    half = min({stream["module"] for stream in streams}, key=lambda module: abs(module - single / 2))
    frames = median(delays([stream for stream in streams if stream["module"] == half]))
    bars.check(frames <= 2, f"streams: nine of ten single frames need modules of {single:.2f} px; at {half:.2f} px "
                            f"the sighting comes after {frames:.1f} frames (median, at most 2)")


def check_data_matrix(bars, records):
    group = [r for r in records if r["drawn"] and r["symbology"] == "DATAMATRIX" and US in r["readers"]]
    if not group:
        bars.missing("Data Matrix")
        return
    spent = times(group, US)
    bars.check(bool(spent) and median(spent) < 50,
               f"Data Matrix in a whole frame: median {median(spent):.2f} ms, 95 % {percentile(spent, 0.95):.2f} ms (under 50)")
    for title, one in groups([record for record in records if "codes" in record]).items():
        one = with_reader(with_reader(one, US), PEER)
        if one:
            ours, theirs = (sum(record["readers"][name]["found"] for record in one) for name in (US, PEER))
            bars.check(ours >= theirs, f"{title}: {ours} codes read, {PEER} {theirs}, of {sum(r['codes'] for r in one)}")
            ratio = median(times(one, US)) / max(median(times(one, PEER)), 1e-3)
            bars.check(ratio <= 2, f"{title}: median CPU time {ratio:.2f} of {PEER}'s (at most 2)")
    both = with_reader(group, "libdmtx")
    if both:
        bars.check(recall(both, US) >= recall(both, "libdmtx"),
                   f"Data Matrix, {len(both)} pictures: {recall(both, US):.1f} % read, libdmtx without a time limit "
                   f"{recall(both, 'libdmtx'):.1f} % (median {median(times(both, 'libdmtx')):.0f} ms)")


def check_linear(bars, photographs):
    group = [r for r in photographs if r["symbology"] in ("CODE128", "CODE93", "CODE39") and "zbar" in r["readers"]
             and US in r["readers"]]
    if group:
        bars.check(recall(group, US) >= recall(group, "zbar"),
                   f"linear codes, {len(group)} photographs: {recall(group, US):.1f} % read, zbar {recall(group, 'zbar'):.1f} %")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--plots", help="folder for the plots")
    parser.add_argument("--gate", action="store_true", help="exit with 1 when a bar fails")
    parser.add_argument("results")
    arguments = parser.parse_args()
    with open(arguments.results) as file:
        results = json.load(file)
    print_tables(results["pictures"])
    print_streams(results["streams"])
    failed = print_bars(results["pictures"], results["streams"])
    if arguments.plots:
        os.makedirs(arguments.plots, exist_ok=True)
        for path in plots.draw(results["pictures"], arguments.plots):
            print(f"plot: {path}")
    raise SystemExit(1 if arguments.gate and failed else 0)
