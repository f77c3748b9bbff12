"""A program: loads crops, hashes them, makes batches, prints the MiB of memory it took.

python -m tests.data.memory_run PHOTOS COUNT MEMORY_LIMIT
"""

import resource
import sys
from pathlib import Path

from keras_gans.data.pipeline import step_dataset
from keras_gans.okdgan.crops import digest
from keras_gans.okdgan.data import crop_batches
from keras_gans.okdgan.datasets import load_crops

SIZE = 128  # of a crop


def main(photos, count, limit):
    crops = load_crops(Path(photos), int(count), SIZE, 0, None, SIZE, int(limit))
    digest(crops)
    crops, _ = crops.hold_out(0.3, 0)
    for _ in step_dataset(crop_batches(crops.images, 50, 0, mirror=True), 0, 20):
        pass
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)


if __name__ == "__main__":
    main(*sys.argv[1:])
