"""A line: what comes into a folder is inspected at once, and the scores are watched (ours)."""

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from keras_gans.commands import detect
from keras_gans.commands.detect import Detector
from keras_gans.data.folders import check_data_folder, images_in
from keras_gans.errors import InputError, printable
from keras_gans.files import check_folder

LOG = "detections.jsonl"
WINDOW = 100  # images whose scores are compared
# the Kolmogorov-Smirnov distance that two such sets exceed by chance once in 1,000 times
FAR = 1.95 * (2 / WINDOW) ** 0.5


def watch(
    folders: Sequence[Path],
    out: Path,
    detector: Detector,
    min_area: int = 1,
    looks: Iterator[object] | None = None,
) -> None:
    """Inspects every image that lies in a folder or comes into it, until it is stopped.

    An image is taken when its size and time stay the same from one look to the next: until
    then it is being written. One that is replaced is inspected again. Its overlay and mask are
    written, see `detect_files`, then one line of `OUT/detections.jsonl`: the fields of
    `detect_files`, `modified` (the file's time, ns since 1970), `bytes`, `model` and `limit`;
    or `file`, `modified`, `bytes` and `error`, for what cannot be read, or is called as another
    image but for its suffix. Such a file is tried again when it changes, be it its rights
    alone, when the other one goes, and when the watch starts anew. Else that goes on with what
    is not in this list. A note tells when the scores of the last 100 images are not those of
    the first 100 of this model and limit, see `distance`.

    Args:
        folders: one, which is looked through without its subfolders.
        out: folder of the results, another one.
        detector, min_area: see `Detector`.
        looks: gives the times to look; by default each second, for ever. (A folder on a
            server tells nobody what comes into it, so it is looked at.)

    Raises:
        InputError: a folder cannot be used, or a result not be written.
    """
    if len(folders) != 1:
        raise InputError(f"--watch takes one folder. Received: {len(folders)} paths")
    [folder] = folders
    check_data_folder(folder, "images, which may come later")
    check_folder(out)
    if out.resolve() == folder.resolve():
        raise InputError(f"{out}: the results would be inspected, too: give another --out")
    detect.check_area(min_area)
    out.mkdir(parents=True, exist_ok=True)
    told = {"model": str(detector.folder), "limit": detector.limit}
    # by names, as the folder may be written in another way: what is inspected, what could not
    # be read, and the errors in the list
    done, tried, errors = {}, {}, {}
    owners, scores = {}, Scores()
    for row in _listed(out / LOG):
        path = Path(row["file"])
        if "error" in row:
            errors[path.name] = row["modified"], row["error"]
            continue
        done[path.name] = row["modified"], row.get("bytes")
        owners[_stem(path)] = path
        if told.items() <= row.items():
            scores.add(row["score"])

    before = {}
    for _ in looks or _seconds():
        states = {path: _state(path) for path in images_in(folder, detect.SUFFIXES)}
        present = {path: state for path, state in states.items() if state}
        ready = [path for path, state in present.items() if before.get(path) == state]
        for path in sorted(ready, key=lambda path: present[path]):
            name, (modified, size, _) = path.name, present[path]
            if done.get(name) in ((modified, size), (modified, None)):
                continue
            try:
                targets = _targets(path, ready, owners, out)
                if tried.get(name) == present[path]:
                    continue
                tried[name] = present[path]
                image = detect.open_image(path, detector.channels)
            except InputError as error:
                row = {"error": str(error)}
                if errors.get(name) == (modified, row["error"]):
                    continue
                errors[name] = modified, row["error"]
            else:
                # one that cannot be written ends the watch: the image is inspected next time
                row = detect.detect_image(path, image, targets, detector, min_area) | told
                owners[_stem(path)], done[name] = path, (modified, size)
            _append(out / LOG, row | {"file": str(path), "modified": modified, "bytes": size})
            print(_line(row, path), flush=True)
            if "score" in row and (note := scores.add(row["score"])):
                print(note, flush=True)
        names = {path.name for path in present}
        done, tried, errors = (
            {name: each[name] for name in names & {*each}} for each in (done, tried, errors)
        )
        before = present


def _stem(path):
    return path.stem.lower()


def _seconds():
    while True:
        yield
        time.sleep(1)


def _state(path):
    """Time, ns, size and time of the last change of a file; `None` if it has just gone."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ctime_ns


def _targets(path, ready, owners, out):
    """Where its results go (`InputError`: another image's are, or would be, there)."""
    owner = owners.get(_stem(path), path)
    if owner.name != path.name or (owner.exists() and not owner.samefile(path)):
        raise InputError(f"{path}: its results would replace those of {owner}: rename it")
    same = [other for other in ready if _stem(other) == _stem(path)]
    return dict(zip(same, detect.output_paths(same, out)))[path]


def _line(row, path):
    if "error" in row:
        return f"not inspected: {row['error']}"
    verdict = "defect" if row["defective"] else "good"
    return f"{printable(path.name)}: {verdict}, score {row['score']:.1f}"


def _append(path, row):
    """Adds a line in one piece, which is on the disk afterwards."""
    try:
        with open(path, "ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _listed(path):
    """The rows of the list; half a line at its end, of a crash, is cut off."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        end = 0
        for line in file:
            try:
                row = json.loads(line)
                row["file"], row["modified"]
            except (ValueError, TypeError, KeyError):
                break
            if not line.endswith(b"\n"):
                break
            yield row
            end += len(line)
        if end < path.stat().st_size:
            if file.read(1):
                raise InputError(f"{path}: not a list of this command; give another --out")
            file.truncate(end)


class Scores:
    """The first and the last scores of a line."""

    def __init__(self):
        self.first, self.last, self.count = [], deque(maxlen=WINDOW), 0

    def add(self, score: float) -> str | None:
        """Takes a score; every 100 images a note if the last are not as the first."""
        self.count += 1
        if self.count <= WINDOW:
            self.first.append(score)
            return None
        self.last.append(score)
        if self.count % WINDOW or distance(self.first, self.last) <= FAR:
            return None
        was, now = np.median(self.first), np.median(self.last)
        return (
            f"note: the scores have moved: the median of the last {WINDOW} images is "
            f"{now:.1f}, of the first {was:.1f}; look at the light, the camera and the goods"
        )


def distance(one, other) -> float:
    """The largest difference of two samples' shares below a value (Kolmogorov-Smirnov)."""
    values = np.sort([*one, *other])
    shares = [
        np.searchsorted(np.sort(each), values, "right") / len(each) for each in (one, other)
    ]
    return float(np.max(np.abs(shares[0] - shares[1])))
