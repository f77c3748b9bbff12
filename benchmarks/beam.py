"""`keras-gans batch` on many images: speed, memory, and what a killed worker leaves.

    python benchmarks/beam.py        about 10 minutes on 2 cores; needs keras_gans[beam], Linux

Makes small surfaces, detects their defects by the DirectRunner with 1 process and with 2, then
once more with 2, of which one is killed by SIGKILL after a third of the images; the same
command again must end with the same files as the run that nobody disturbed. Then corrects
photos of 12 megapixels with 1 process, and makes a table of a million rows. Prints tables;
ends with an error if anything is lost, doubled or other than in the undisturbed run.
"""

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from common import new_table, open_console
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PHOTOS, CORES, PRICE = 1e8, 1000, 0.05
WORKER = "apache_beam.runners.worker.sdk_worker_main"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Config:
    """Measures batches; prints tables."""

    images: int = 5000
    """Surfaces of 64 x 64."""
    photos: int = 20
    """Of 12 megapixels."""
    rows: int = 10**6
    """Of the table that is made last of all, from records."""


class Batch:
    """A batch command in a process of its own, which is looked at every second.

    Attributes:
        code, line: its exit code, and the last line that it printed.
        killed: number of the process that was killed, or `None`.
        made: the files of the last pictures that it made, one of each input.
        seconds, total: of its first picture until its last; of the whole command.
        memory: megabytes of the largest worker, second by second.
        each: seconds of all cores that its workers took for one input, once they had begun.
    """

    def __init__(self, command, out, workers, kill_after=None):
        log, out = tempfile.TemporaryFile(), Path(out)
        options = ["--direct_running_mode=multi_processing", f"--direct_num_workers={workers}"]
        command = [sys.executable, "-m", "keras_gans", "batch", *command, "--out", out, "--"]
        started = time.time()
        process = subprocess.Popen(
            [*command, *options], stdout=log, stderr=subprocess.STDOUT, env=environment()
        )
        self.memory, self.killed, seen, begun = [], None, {}, None
        while process.poll() is None:
            time.sleep(1)
            now = {pid: found for pid in workers_of(process.pid) if (found := look(pid))}
            seen |= now
            pictures = len(list(out.glob("*_ma*.png")))
            if pictures and now:
                self.memory.append(max(megabytes for _, megabytes in now.values()))
                work = sum(seconds for seconds, _ in seen.values())
                begun = begun or (pictures, work)
                self.each = (work - begun[1]) / max(1, pictures - begun[0])
            if kill_after and pictures >= kill_after and not self.killed:
                self.killed = min(now)
                os.kill(self.killed, signal.SIGKILL)
        self.total, self.code = time.time() - started, process.returncode
        log.seek(0)
        self.line = log.read().decode().strip().splitlines()[-1]
        times = {path: path.stat().st_mtime for path in out.glob("*_ma*.png")}
        self.made = [path for path, written in times.items() if written > started]
        self.seconds = max(times.values()) - min(times.values())


def environment():
    return os.environ | {"PYTHONPATH": str(ROOT)}


def workers_of(parent):
    """Processes of Python that work for a process; between them stands a shell."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().split(b"\0")
            if WORKER.encode() in line and parent in ancestors(int(folder.name)):
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def ancestors(pid):
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        yield pid


def look(pid):
    """(seconds of all cores, megabytes) of a process; `None` if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return (int(fields[11]) + int(fields[12])) / TICK, pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def make_surfaces(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        levels = np.clip(rng.normal(170, 3, (64, 64)), 0, 255)
        if k % 2:
            levels[30:34, 10:50] = 60
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"{k:05}.png")
    whole = (folder / "00000.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture")


def make_photos(folder, count):
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(count):
        small = Image.fromarray(rng.integers(0, 256, (300, 400, 3)).astype(np.uint8))
        small.resize((4000, 3000), Image.Resampling.BICUBIC).save(
            folder / f"{k:03}.jpg", quality=92
        )


def make_records(folder, count):
    """What a batch records of so many surfaces, in another order than the table's."""
    folder.mkdir(parents=True)
    row = {"width": 64, "height": 64, "score": 17.3, "defective": True, "mask_area": 100}
    row |= {"mask_share": 0.02, "boxes": [[1, 2, 30, 40]]}
    order = np.random.default_rng(0).permutation(count)
    for start in range(0, count, 500):
        with open(folder / f"done-{start}.jsonl", "w") as file:
            for k in order[start : start + 500]:
                made = {name: f"gs://found/{k:09}_{name}.png" for name in ("overlay", "mask")}
                print(json.dumps({"file": f"gs://in/{k:09}.png", **row, **made}), file=file)


TABLE = """
import resource, time
from keras_gans.beam import write_tables

start = time.process_time()
write_tables({!r}, "detect")
print(time.process_time() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def make_table(out, count):
    """(seconds of a core, megabytes) that the table of so many rows takes."""
    make_records(Path(out, "records"), count)
    command = [sys.executable, "-c", TABLE.format(out)]
    done = subprocess.run(command, env=environment(), check=True, stdout=subprocess.PIPE)
    check(sum(1 for _ in open(Path(out, "detections.csv"))) == count + 1, "rows are lost")
    return map(float, done.stdout.split())


def digests(out):
    """dict name -> SHA-256 of all that a batch makes, without its records."""
    paths = [*Path(out).glob("*.png"), Path(out, "detections.csv"), Path(out, "bad.jsonl")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def cells(batch, items):
    last = len(batch.memory) - 1
    return (
        f"{items / batch.seconds:.1f}",
        f"{1000 * batch.each:.0f}",
        f"{batch.total:.0f}",
        *(f"{batch.memory[last * quarter // 4]:.0f}" for quarter in (1, 2, 3, 4)),
    )


def check(holds, message):
    if not holds:
        sys.exit(f"failed: {message}")


def main():
    config = tyro.cli(Config)
    console = open_console("apache-beam", "ai-edge-litert", "pillow")
    headings = ("a second", "ms each", "all, s")
    headings += tuple(f"MB at {k} %" for k in (25, 50, 75, 100))
    table = new_table("largest worker", *headings)
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        make_surfaces(Path("in"), config.images)
        for workers in (1, 2):
            batch = Batch(["detect", "in/*.png"], f"out{workers}", workers)
            check(batch.code == 0, batch.line)
            title = f"detect, {workers} process{'es'[: 2 * workers - 2]}"
            table.add_row(title, *cells(batch, config.images))
        check(digests("out1") == digests("out2"), "1 and 2 processes differ")

        stopped = Batch(["detect", "in/*.png"], "out", 2, config.images // 3)
        check(stopped.code == 2 and stopped.killed, f"not stopped: {stopped.line}")
        again = Batch(["detect", "in/*.png"], "out", 2)
        check(again.code == 0, again.line)
        check(digests("out") == digests("out2"), "other files than without a kill")
        files = Counter(row["file"] for row in csv.DictReader(open("out/detections.csv")))
        check(len(files) == config.images and max(files.values()) == 1, "lost or doubled")
        check(not list(Path("out").rglob(".*")), "something half-written is left")

        make_photos(Path("photos"), config.photos)
        photos = Batch(["white-balance", "photos/*.jpg"], "balanced", 1)
        check(photos.code == 0, photos.line)
        table.add_row("white balance, 12 megapixels", *cells(photos, config.photos))
        seconds, megabytes = make_table("table", config.rows)
    console.print(table)
    console.print(f"killed: {stopped.line}")
    console.print(f"{len(stopped.made)} masks were there; the rerun made {len(again.made)}")
    console.print(again.line)
    console.print(
        f"the table of {config.rows:,} rows: {seconds:.0f} s of a core, {megabytes:.0f} MB"
    )
    hours = PHOTOS * photos.each / 3600
    console.print(
        f"{PHOTOS / 1e6:.0f} million photos of 12 megapixels, {photos.each:.2f} s of a core: "
        f"{hours / CORES:.0f} hours on {CORES} cores, {hours:,.0f} core-hours, "
        f"{hours * PRICE:,.0f} $ at {PRICE} $ a core-hour (assumed)"
    )


if __name__ == "__main__":
    main()
