"""Recall against what makes a picture hard, one line per reader, as SVG."""
import os

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

# (degradation that varies it, what is on the axis, its name)
AXES = [
    ("module-size", "module", "module size, pixels"),
    ("tilt", "tilt", "tilt, degrees"),
    ("rotation", "roll", "rotation, degrees"),
    ("defocus", lambda s: s["defocus"] / s["module"], "defocus radius, modules"),
    ("motion", lambda s: s["motion"] / s["module"], "motion, modules"),
    ("noise", "noise", "noise, grey levels"),
    ("uneven-light", "shadow", "depth of the shadow"),
    ("glare", "glareRadius", "radius of the glare, display widths"),
    ("low-contrast", "contrast", "contrast"),
    ("inversion", "module", "module size (light on dark), pixels"),
    ("moire", "gridDepth", "depth of the moiré"),
    ("occlusion", "occlusion", "share of the display covered"),
    ("pixel-grid", "gridDepth", "depth of the pixel grid"),
    ("banding", "bandDepth", "depth of the bands"),
    ("e-ink", "ghost", "ghost of the picture before"),
    ("clutter", "module", "module size (in clutter), pixels"),
    ("mix", "grade", "grade of the mix"),
]


def draw(records, folder):
    """One file per symbology and size; gives their paths."""
    drawn = [record for record in records if record["drawn"] and record["symbology"] != "NONE"]
    for name in dict.fromkeys(record["set"] for record in drawn):
        group = [record for record in drawn if record["set"] == name]
        figure, axes = pyplot.subplots(5, 4, figsize=(16, 18))
        for axis, (kind, value, label) in zip(axes.flat, AXES):
            one(axis, [r for r in group if r["scene"]["degradation"] == kind], value, label)
        for axis in list(axes.flat)[len(AXES):]:
            axis.axis("off")
        handles, labels = axes.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower right", fontsize=12)
        figure.suptitle(f"share of pictures read, {name}")
        figure.tight_layout()
        path = os.path.join(folder, f"{name}.svg")
        figure.savefig(path)
        pyplot.close(figure)
        yield path


def one(axis, records, value, label):
    def place(record):
        scene = record["scene"]
        return abs(value(scene) if callable(value) else scene[value])

    axis.set_xlabel(label)
    axis.set_ylim(-3, 103)
    records = sorted(records, key=place)
    bins = [records[len(records) * i // 5:len(records) * (i + 1) // 5] for i in range(5)]
    for name in dict.fromkeys(name for record in records for name in record["readers"]):
        points = []
        for group in bins:
            read = [record for record in group if name in record["readers"]]
            if read:
                middle = sum(place(record) for record in read) / len(read)
                points.append((middle, 100 * sum(record["readers"][name]["right"] for record in read) / len(read)))
        axis.plot(*zip(*points), marker="o", label=name, linewidth=2.5 if name == "this" else 1)
