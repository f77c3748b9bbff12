"""What one call of a command costs: time and memory, on LiteRT and on TensorFlow.

    python benchmarks/commands.py           about 3 minutes on 2 cores
    python benchmarks/commands.py --large   also photos of up to 200 megapixels, 3 minutes more;
                                            and Pillow alone, which reads and writes the first

Every call is a process of its own. Beside the commands stands `python -c "import tensorflow"`,
which is what the old way begins with. Prints the fastest of some calls by the clock, the time
of all cores in it, and the largest memory of any.
"""

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import tyro
from common import CORES, new_table, open_console

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = {
    "white-balance photo.jpg": ["white-balance", "photo.jpg", "--out", "balanced"],
    "detect surface.png": ["detect", "surface.png", "--out", "found"],
    "classify photo.jpg": ["classify", "photo.jpg"],
    "generate --count 24": ["generate", "--out", "made"],
    "draw SENTENCE --words": ["draw", "this flower is pink", "--out", "a.png", "--words"],
}
SIZES = {
    "12 megapixels": (3000, 4000),
    "108 megapixels": (9000, 12000),
    "200 megapixels": (12240, 16320),
}


@dataclass(frozen=True)
class Config:
    """Measures the commands; prints a table."""

    calls: int = 5
    """Of each."""
    large: bool = False
    """Also white balance of large photos, one call each."""


def main():
    config = tyro.cli(Config)
    console = open_console()
    table = new_table("one call", "backend", "clock, s", "all cores, s", "memory, MB")
    with tempfile.TemporaryDirectory() as folder:
        save(folder, "photo.jpg", (480, 640))
        save(folder, "surface.png", (96, 96), "L")
        rows = [("import tensorflow", "", ["-c", "import tensorflow"], config.calls)]
        for name, arguments in COMMANDS.items():
            for backend in ("litert", "tensorflow"):
                command = ["-m", "keras_gans", *arguments, "--backend", backend]
                rows.append((name, backend, command, config.calls))
        for name, size in SIZES.items() if config.large else ():
            photo = f"{name.split()[0]}.jpg"
            save(folder, photo, size)
            command = ["-m", "keras_gans", "white-balance", photo, "--out", "balanced"]
            rows.append((f"white-balance, {name}", "litert", command, 1))
        if config.large:
            rows.append(
                ("Pillow reads and writes 12 megapixels", "", ["-c", PILLOW], config.calls)
            )
        for name, backend, command, calls in rows:
            measured = [measure(command, folder) for _ in range(calls)]
            clock, cpu = min(each[:2] for each in measured)
            memory = max(each[2] for each in measured)
            table.add_row(name, backend, f"{clock:.2f}", f"{cpu:.2f}", f"{memory:.0f}")
    console.print(table)
    console.print(f"{CORES} cores")


def measure(command, folder):
    """Seconds by the clock and of all cores, and the peak memory in MB, of a Python process."""
    subprocess.run(["rm", "-rf", "made"], cwd=folder)  # no file in it would be overwritten
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=folder, env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)}: exit code {process.returncode}")
    seconds = time.perf_counter() - start
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


PILLOW = """
from PIL import Image

image = Image.open("12.jpg")
image.load()
image.save("written.jpg", quality=95)
"""

SAVE = """
import sys
import numpy as np
from PIL import Image

name, height, width, mode = sys.argv[1:]
small = np.random.default_rng(0).integers(40, 200, (9, 12, 3), np.uint8)
image = Image.fromarray(small).resize((int(width), int(height)), Image.Resampling.BICUBIC)
image.convert(mode).save(name, quality=90)
"""


def save(folder, name, size, mode="RGB"):
    """Draws a picture in a process of its own: what this one held would count for the calls."""
    command = [sys.executable, "-c", SAVE, name, *map(str, size), mode]
    subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    main()
