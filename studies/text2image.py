"""What the report compares, at equal budget: models, the ConvLSTM, layouts, vectors, images.

    python -m studies.text2image models --data DIR --reduced
    python -m studies.text2image convlstm --data DIR --reduced
    python -m studies.text2image normalisation --data DIR --reduced
    python -m studies.text2image sentence --data DIR --reduced
    python -m studies.text2image real --data DIR --reduced

The settings are those of train_text2image.py. With `--resume` an interrupted study goes on.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.text2image.config import StudyConfig

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(StudyConfig)

import json
import re
from dataclasses import replace

from keras_gans.training.device import alone, set_up

from keras_gans.files import remembered, write_json
from keras_gans.text2image import datasets
from keras_gans.text2image.report import write_table
from keras_gans.training.run_folder import RunFolder
from train_text2image import run

FULL = dict(model="full", convlstm="refined", real="random")
STUDIES = {
    "models": {
        "gnn": dict(model="gnn"),
        "dcgan": dict(model="dcgan"),
        **{f"full, {name}": FULL | dict(euclidean=name)
           for name in ("original", "penalty", "mean", "words")},
    },
    "convlstm": {f"ConvLSTM {name}": FULL | dict(convlstm=name)
                 for name in ("refined", "last", "penultimate")},
    "normalisation": {f"statistics of {name}": FULL | dict(normalisation=name)
                      for name in ("words", "slots")},
    "sentence": {f"{model}, {how} of the words": dict(model=model, sentence=how)
                 for model in ("dcgan", "gnn") for how in ("sum", "mean")},
    "real": {f"{name} real images": FULL | dict(real=name) for name in ("random", "matching")},
}  # fmt: skip


def run_study(config, folder, images, vocabulary):
    """Trains and measures every variant: dict name -> figures."""
    rows = {}
    for name, changes in STUDIES[config.study].items():
        path = folder / re.sub(r"[^a-z]+", "-", name.lower())
        changed = replace(config, **changes)

        def train_and_measure(path=path, changed=changed):
            figures = run(changed, path, images, vocabulary)[1]
            return figures | {"training_seconds": seconds(path / changed.model)}

        print(f"\n{name}")
        rows[name] = remembered(path / "result.json", train_and_measure)
    return rows


def seconds(folder):
    """How long a training took, without the first step of it and of every `--resume`."""
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    return round(sum(json.loads(row).get("seconds", 0) for row in rows), 1)


@report_input_errors
def main(config):
    alone(config)
    images, vectors = datasets.load(config)
    with RunFolder("study_text2image", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        images, vocabulary = datasets.prepare(config, folder.path, images, vectors)
        rows = run_study(config, folder.path, images, vocabulary)
        write_json(folder.path / "result.json", rows)
        write_table(folder.path, rows, f"{images.name}, captions kept from training")
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
