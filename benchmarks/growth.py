"""What a training step costs as it grows: width, batch, image size, students, words, threads.

    python -m benchmarks.growth --plot growth.png        about 10 minutes on 2 cores

The base is the built-in run of each script; one setting at a time is changed. The steps of a
room take turns; the median of each counts. `per work` is the time as a ratio to the base's,
divided by the growth of the work: 1 is the straight line.
"""

import importlib
import statistics
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import tyro

from benchmarks.common import (
    CORES,
    Process,
    import_tensorflow,
    main_or_task,
    new_table,
    open_console,
    times,
)

BASE = "base"
# (setting, its values beside the built-in run's, the power of it that the work grows with)
GROWTH = {
    "train_dscnn.py": (("batch_size", (16, 32, 128, 256), 1), ("patch_size", (32, 96, 128), 2)),
    "train_frgan.py": (
        ("width", (8, 32, 64), 2),
        ("batch_size", (25, 100, 200), 1),
        ("image_size", (16, 64), 2),
    ),
    "train_okdgan.py, students": (
        ("students", (2, 4, 5), 1),
        ("width", (8, 32, 64), 2),
        ("batch_size", (12, 50, 100), 1),
    ),
    "train_text2image.py": (
        ("words", (6, 12, 50), 1),
        ("width", (8, 32, 64), 2),
        ("batch_size", (8, 32, 64), 1),
    ),
    "train_defectgan.py, after the warm-up": (
        ("width", (8, 32, 64), 2),
        ("batch_size", (1, 2, 8), 1),
        ("image_size", (40, 160), 2),
    ),
}


@dataclass(frozen=True)
class Config:
    """Times steps of all sizes; prints a table."""

    turns: int = 5
    """Measurements of every step."""
    plot: Path | None = None
    """A PNG of all curves."""


def variants(room):
    """Dict name of a step -> arguments of the script."""
    found = {BASE: ()}
    for setting, values, _ in GROWTH[room]:
        option = f"--{setting.replace('_', '-')}"
        found |= {f"{setting} {value}": (option, str(value)) for value in values}
    return found


def built_in(room):
    """The settings of a script's built-in run."""
    from keras_gans.training.settings import parse

    script = importlib.import_module(room.partition(".")[0])
    return parse(script.Config, ["--export", "None"])


def steps(folder, room, threads):
    """The steps of a room, and its built-in settings; of one thread the base alone."""
    tf = import_tensorflow(threads)
    from benchmarks.steps import ROOMS

    wanted = variants(room) if threads > 1 else {BASE: ()}
    runs = {}
    for name, wishes in wanted.items():
        model, batch = ROOMS[room](*wishes)
        runs[name] = partial(run, tf.function(model.train_step), batch)
    config = built_in(room)
    return runs, {"built_in": {name: getattr(config, name) for name, *_ in GROWTH[room]}}


def run(step, batch):
    step(batch)


def measured(room, threads, turns, folder):
    """(dict name of a step -> seconds, built-in settings)."""
    process = Process(steps, folder, threads, {"room": room, "threads": threads})
    for _ in range(turns):
        for name in process.facts.get("runs", ()):
            process.turn(name)
    process.close()
    if process.problem:
        sys.exit(f"{room}: {process.problem}")
    seconds = {name: statistics.median(each) for name, each in process.seconds.items()}
    return seconds, process.facts["built_in"]


def draw(path, curves):
    """Time against work of every setting, both as a ratio to the base."""
    from matplotlib.figure import Figure

    picture = Figure(figsize=(4 * len(curves), 4), layout="constrained")
    axes = picture.subplots(1, len(curves), sharex=True, sharey=True)
    for panel, (room, settings) in zip(axes, curves.items()):
        panel.axline((1, 1), (2, 2), color="grey", linestyle=":")
        for setting, points in settings.items():
            panel.loglog(*zip(*sorted(points)), marker="o", label=setting.replace("_", " "))
        panel.set(title=room.partition(",")[0], xlabel="work")
        panel.legend()
    axes[0].set_ylabel("time of a step")
    picture.savefig(path, dpi=80)


def main():
    config = tyro.cli(Config)
    console = open_console("tensorflow", "keras")
    table = new_table("a training step", "value", "ms", "ratio to the base", "per work")
    curves = {}
    with tempfile.TemporaryDirectory() as folder:
        for room, settings in GROWTH.items():
            seconds, at = measured(room, CORES, config.turns, folder)
            alone, _ = measured(room, 1, config.turns, folder)
            base = seconds[BASE]
            table.add_section()
            table.add_row(room, "", f"{1e3 * base:.0f}", "1.00", "")
            curves[room] = {}
            for setting, values, power in settings:
                points = curves[room][setting] = [(1.0, 1.0)]
                for value in values:
                    each = seconds[f"{setting} {value}"]
                    work, time = (value / at[setting]) ** power, each / base
                    points.append((work, time))
                    table.add_row(
                        setting.replace("_", " "),
                        f"{value} ({at[setting]})",
                        f"{1e3 * each:.0f}",
                        times(time),
                        times(time / work),
                    )
            each = alone[BASE]
            table.add_row(
                "threads", f"1 ({CORES})", f"{1e3 * each:.0f}", times(each / base), ""
            )
    console.print(table)
    if config.plot:
        draw(config.plot, curves)


if __name__ == "__main__":
    main_or_task(main, {"steps": steps})
