"""Text to image: a sentence's words draw a picture, one after the other.

Ouyang, "Research and Thesis Report": word2vec, DCGAN and a convolutional LSTM.

    python train_text2image.py                          built-in flowers, 8 minutes on 2
                                                        cores: 99.9 % of held-out captions
                                                        get both their colours
    python train_text2image.py --data DIR --reduced     your photos and captions, for CPUs
    python train_text2image.py --data DIR               the report's sizes, for GPUs
    python train_text2image.py --data DIR --study models
                                                        the report's models at equal budget

DIR has Oxford 102 Flowers or CUB-200-2011 with their captions, Flickr8k or Flickr30k, or
NAME.jpg and NAME.txt; see docs/text2image.md. Defaults are the report's; what it leaves open is
said beside the argument.
"""

import hashlib
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from keras_gans.training.device import set_up

import keras
import numpy as np
import tyro

from keras_gans.data.order import spread
from keras_gans.errors import InputError, report_input_errors
from keras_gans.export.generator import export_generator
from keras_gans.files import check_folder, write_json
from keras_gans.text2image.callbacks import VectorGrids, WordGrids
from keras_gans.text2image.captions import (
    count_words,
    load_vectors,
    load_vocabulary,
    save_vocabulary,
    train_word2vec,
)
from keras_gans.text2image.clusters import choose_cluster, vgg16_features
from keras_gans.text2image.data import sentence_batches, sentence_means, vector_batches
from keras_gans.text2image.datasets import PARTS, describe, load_captioned_images
from keras_gans.text2image.dcgan import DCGAN
from keras_gans.text2image.evaluate import (
    colour_agreement,
    distances,
    draw,
    draw_last,
    draw_vectors,
)
from keras_gans.text2image.export import export_text_to_image
from keras_gans.text2image.gnn import GNN
from keras_gans.text2image.model import TextToImage
from keras_gans.text2image.networks import (
    build_discriminator,
    build_generator,
    build_text_to_image,
)
from keras_gans.text2image.report import word_grid, write_table
from keras_gans.text2image.synthetic import synthetic_flowers
from keras_gans.training.fit import fit
from keras_gans.training.run_folder import RunFolder, to_json
from keras_gans.training.settings import check_limits


@dataclass(frozen=True)
class Config:
    """Trains a network that draws sentences, and measures it on captions kept from training."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in flowers, reduced settings."""
    reduced: bool = False
    """A small network, and our settings where not given: for CPUs."""
    tag: str | None = None
    """Only images with this tag in index.csv, or this word in a caption."""
    flowers: int = 2000
    """Built-in flowers to draw, where there is no DATA."""

    cluster: int | None = None
    """Only images of one cluster of VGG16's features, 0 the largest; None takes all."""
    components: int = 10
    """Clusters of the mixture."""
    vgg16: Path | None = None
    """VGG16's weights (vgg16_weights_tf_dim_ordering_tf_kernels.h5). Without it Keras fetches
    them, 528 MB."""

    words: int = 25
    """Slots of a sentence; longer ones are cut, shorter ones padded in front."""
    vector_size: int = 400
    """Numbers of a word's vector."""
    vectors: Path | None = None
    """File of word vectors: word2vec, GloVe or gensim. Without it word2vec is trained on the
    training captions, and on nothing else."""
    skip_gram: bool = False
    """Train word2vec as skip-gram instead of CBOW."""
    word2vec_epochs: int = 20
    """Passes of word2vec over the captions."""

    model: Literal["full", "dcgan", "gnn"] = "full"
    """full: figure 2. dcgan: figure 1 from one vector. gnn: the same by Euclidean distance."""
    condition: Literal["word2vec", "sentence", "captions", "noise"] = "sentence"
    """The vector of dcgan and gnn: a word, the mean of a caption or of all captions, noise."""
    image_size: int = 64
    width: int = 64
    """Filters of the generator's last hidden and the discriminator's first layer; the report
    does not say. 64 is DCGAN's."""
    convlstm: Literal["refined", "last", "penultimate"] = "refined"
    """Where the ConvLSTM stands: before two transposed convolutions of stride 1, as the last
    layer, or before the generator's last layer."""
    filters: int = 3
    """Channels of the maps that enter and leave the ConvLSTM."""
    real: Literal["random", "matching"] = "random"
    """The discriminator's real images: any, or those of the sentence."""
    euclidean: Literal["original", "penalty", "mean"] = "original"
    """Distance to the real image: of the last word's image, the same weighted, of every
    word's."""
    penalty: float = 10.0
    """Weight in "penalty"; the report does not say."""
    adversarial_weight: float = 1.0
    """Of the discriminator's verdict in the generator's loss."""
    blurred: bool = False
    """Blurred real images are fakes too."""

    batch_size: int = 64
    """Sentences in a step; the report does not say."""
    epochs: int = 16
    """After how many the report shows its last pictures of the whole network."""
    steps_per_epoch: int | None = None
    """By default as many as show every caption once."""
    learning_rate: float = 2e-4
    """Of Adam; the report does not say, 2e-4 and 0.5 are DCGAN's."""
    beta_1: float = 0.5

    study: Literal["models", "convlstm", "real"] | None = None
    """Compare what the report compares, each trained for as many steps: gnn, dcgan and full in
    the three forms of EUCLIDEAN; the places of the ConvLSTM; the real images. Nothing is
    exported."""
    score_captions: int = 2000
    """Captions kept from training that are drawn to be measured, at most."""

    seed: int = 0
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """The model goes to EXPORT/text2image/VERSION, dcgan and gnn to EXPORT/text2image-dcgan and
    -gnn, those of built-in flowers to names with -synthetic; None exports nothing."""
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_text2image."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""


# What 2 cores train: small pictures, few filters, but more maps for the ConvLSTM to work on.
# The discriminator's verdict must be light: at a tenth of the distance's weight the pictures
# changed from word to word in the same way for every sentence.
REDUCED = dict(
    image_size=32, width=16, words=16, filters=16, adversarial_weight=0.003, batch_size=16,
    epochs=10, steps_per_epoch=500, learning_rate=2e-3,
)  # fmt: skip

# Without --data. CBOW, or fewer passes, give the names of colours vectors that are nearly alike
BUILT_IN = REDUCED | dict(
    words=25, skip_gram=True, word2vec_epochs=50, epochs=12, steps_per_epoch=100
)  # fmt: skip

FULL = dict(model="full", convlstm="refined", real="random")
STUDIES = {
    "models": {
        "gnn": dict(model="gnn"),
        "dcgan": dict(model="dcgan"),
        **{f"full, {name}": FULL | dict(euclidean=name)
           for name in ("original", "penalty", "mean")},
    },
    "convlstm": {f"ConvLSTM {name}": FULL | dict(convlstm=name)
                 for name in ("refined", "last", "penultimate")},
    "real": {f"{name} real images": FULL | dict(real=name) for name in ("random", "matching")},
}  # fmt: skip

SHOWN = 8  # held-out sentences drawn after every epoch


def build_model(config):
    """One of the report's models, with new weights."""
    keras.utils.set_random_seed(config.seed)
    size = config.image_size, config.width
    if config.model == "full":
        network = build_text_to_image(
            config.words, config.vector_size, *size, config.convlstm, config.filters
        )
        return TextToImage(
            network, build_discriminator(*size), config.euclidean, config.penalty,
            config.adversarial_weight, config.blurred,
        )  # fmt: skip
    generator = build_generator(config.vector_size, *size)
    if config.model == "dcgan":
        return DCGAN(generator, build_discriminator(*size), config.blurred)
    return GNN(generator)


def train(config, folder, jit_compile, images, held_out, vocabulary):
    """Trains a model on `images`; goes on where the run stopped. Returns its network."""
    captions, owners = images.sentences()
    ids = vocabulary.encode(captions, config.words)
    per_epoch = config.steps_per_epoch or -(-len(ids) // config.batch_size)

    def batches(first_step):
        common = (
            images.images, ids, owners, vocabulary.vectors, config.batch_size, config.seed,
            per_epoch * config.epochs, first_step,
        )  # fmt: skip
        if config.model == "full":
            return sentence_batches(*common, config.real)
        return vector_batches(*common, config.condition)

    model = build_model(config)
    networks = 1 if config.model == "gnn" else 2
    rates = config.learning_rate, config.beta_1
    optimizers = [keras.optimizers.Adam(*rates) for _ in range(networks)]
    # of the whole network every batch packs another number of words: not for XLA
    model.compile(*optimizers, jit_compile=jit_compile and config.model != "full")
    shown, real = some_captions(held_out, SHOWN)
    if config.model == "full":
        watch = WordGrids(shown, real, vocabulary, folder / "samples")
    else:
        vectors = vectors_of(config, vocabulary, vocabulary.encode(shown, config.words))
        watch = VectorGrids(vectors, folder / "samples", real)
    fit(
        folder / config.model, model, batches, per_epoch, config.epochs, model.optimizers,
        config.batch_size, [watch],
    )  # fmt: skip
    return model.network if config.model == "full" else model.generator


def vectors_of(config, vocabulary, ids):
    """What dcgan and gnn draw sentences from: the mean of their words' vectors, or noise."""
    if config.condition == "noise":
        rng = np.random.default_rng(config.seed)
        return rng.uniform(-1, 1, (len(ids), config.vector_size)).astype(np.float32)
    return sentence_means(ids, vocabulary.vectors)


def some_captions(images, count):
    """The first captions of some images, evenly spread, and these images."""
    chosen = images.take(spread(len(images), count))
    return [first for first, *_ in chosen.captions], chosen.images


def run_once(config, folder, jit_compile, images, vocabulary):
    """One training, measured on captions of the images kept from it.

    Returns:
        the network, and the figures as a dict.
    """
    folder.mkdir(parents=True, exist_ok=True)
    images, held_out = (images.take(images.split == part) for part in PARTS)
    network = train(config, folder, jit_compile, images, held_out, vocabulary)

    captions, owners = held_out.sentences()
    measured = spread(len(captions), config.score_captions)
    captions, owners = [captions[number] for number in measured], owners[measured]
    ids = vocabulary.encode(captions, config.words)
    if config.model == "full":
        pictures = draw_last(network, vocabulary.vectors, ids)
        shown, real = some_captions(held_out, 2 * SHOWN)
        by_word = draw(network, vocabulary.vectors, vocabulary.encode(shown, config.words))
        word_grid(folder / "words.png", shown, by_word, real)
    else:
        pictures = draw_vectors(network, vectors_of(config, vocabulary, ids))
    figures = distances(pictures, owners, held_out.images, images.images, config.seed)
    if config.data is None:
        figures |= colour_agreement(
            pictures, held_out.petals[owners], held_out.centres[owners], config.seed
        )
    return network, figures | {
        "trained_on": len(images),
        "epochs": config.epochs,
        "seed": config.seed,
        "set": images.name,
    }


def run_study(config, folder, jit_compile, images, vocabulary):
    """Trains every variant of a study, then shows their figures. Returns these."""
    rows = {}
    for name, changes in STUDIES[config.study].items():
        path = folder / re.sub(r"[^a-z]+", "-", name.lower())
        file = path / "result.json"
        if not file.exists():
            print(f"\n{name}")
            changed = replace(config, **changes)
            _, figures = run_once(changed, path, jit_compile, images, vocabulary)
            write_json(file, figures | {"training_seconds": seconds(path / changed.model)})
        rows[name] = json.loads(file.read_text())
    return rows


def seconds(folder):
    """How long a training took, without the first step of it and of every `--resume`."""
    rows = (folder / "metrics.jsonl").read_text().splitlines()
    return round(sum(json.loads(row).get("seconds", 0) for row in rows), 1)


def export(config, images, vocabulary, network, figures):
    """Writes a SavedModel and TFLite files; prints what they cost and how far they drift."""
    settings = to_json(config)
    for name in ("data", "vectors", "vgg16"):  # paths of the machine that trained
        settings.pop(name)
    metadata = {"trained_on": images.name, "test_figures": figures, "settings": settings}
    suffix = "" if config.data else "-synthetic"
    base = config.export / f"text2image{'' if config.model == 'full' else f'-{config.model}'}"
    if config.model == "dcgan" and config.condition == "noise":
        paths = export_generator(network, f"{base}-noise{suffix}", metadata)
    else:
        examples, _ = some_captions(images.take(images.split == "test"), 50)
        paths = export_text_to_image(
            network, vocabulary, f"{base}{suffix}", metadata, config.words, examples
        )
    print(f"SavedModel: {paths['saved_model']}")


def check(config):
    """Settings that no type can check, before anything is loaded or written."""
    check_limits(
        config,
        {
            "flowers": (40, 10**6),
            "cluster": (0, config.components - 1),
            "components": (1, 1000),
            "words": (2, 1000),
            "vector_size": (1, 10**4),
            "word2vec_epochs": (1, 10**5),
            "image_size": (8, 1024),
            "width": (1, 1024),
            "filters": (1, 1024),
            "penalty": (0, 1e6),
            "adversarial_weight": (0, 1e6),
            "batch_size": (2, 10**5),
            "epochs": (1, 10**6),
            "steps_per_epoch": (1, 10**7),
            "learning_rate": (1e-12, 100),
            "beta_1": (0, 0.9999),
            "score_captions": (2, 10**7),
            "seed": (0, 2**31 - 1),
        },
    )
    if config.image_size % 8:
        raise InputError(f"--image-size must be a multiple of 8. Received: {config.image_size}")
    if config.data is None and (config.tag is not None or config.cluster is not None):
        raise InputError("--tag and --cluster need --data, the folder of a data set")
    if config.vgg16 and config.cluster is None:
        raise InputError("--vgg16 is for --cluster: give the number of one, 0 is the largest")
    if config.vgg16 and not config.vgg16.is_file():
        raise InputError(f"{config.vgg16}: no such file: give VGG16's weights")
    if config.vectors and config.skip_gram:
        raise InputError("--skip-gram is how vectors are trained: leave it or --vectors out")
    if config.condition == "noise" and (config.model == "gnn" or config.study == "models"):
        raise InputError("--condition noise has no image that belongs to it: gnn cannot learn")
    if config.blurred and config.model == "gnn":
        raise InputError("--blurred is for a discriminator: gnn has none")
    if config.export:
        check_folder(config.export)


def load(config):
    """All images, and those vectors of their words that a file has (`None` without a file)."""
    if config.data is None:
        print("no --data: built-in flowers and a small network, see BUILT_IN in this script")
        images = synthetic_flowers(config.flowers, config.seed, config.image_size)
    else:
        images = load_captioned_images(config.data, config.image_size, config.seed, config.tag)
    check_images(images)
    if config.vectors is None:
        return images, None
    words = count_words(images.sentences()[0])
    return images, load_vectors(config.vectors, words, config.vector_size)


def check_images(images):
    """What would otherwise fail only after hours of training."""
    trained, tested = (int(np.sum(images.split == part)) for part in PARTS)
    if trained < 1 or tested < 2:
        raise InputError(
            f"{images.name}: images to train and to test on: {trained} and {tested}; 1 and 2 "
            "are needed"
        )


def check_unchanged(folder, images):
    """Finds out whether these are the images and captions that a run was begun with."""
    path = folder / "images.json"
    digest = hashlib.sha256(images.images)
    digest.update(json.dumps([images.captions, images.split.tolist()]).encode())
    if not path.exists():
        write_json(path, {"sha256": digest.hexdigest(), "images": len(images)})
    elif json.loads(path.read_text())["sha256"] != digest.hexdigest():
        raise InputError(
            f"{path}: the run was begun with other images or captions; restore them, or start "
            "a new run"
        )


def one_cluster(config, folder, images):
    """The images of one cluster (section 3); clusters are made once and stored with the run."""
    path = folder / "clusters.json"
    if not path.exists():
        features = vgg16_features(images.images, config.vgg16)
        _, labels, counts = choose_cluster(
            features, config.components, config.cluster, config.seed
        )
        labels = dict(zip(images.files, labels.tolist(), strict=True))
        write_json(path, {"images": counts.tolist(), "clusters": labels})
    stored = json.loads(path.read_text())
    print(f"images in clusters 0 to {config.components - 1}: {stored['images']}")
    chosen = [stored["clusters"][file] == config.cluster for file in images.files]
    images = replace(
        images.take(np.array(chosen)), name=f"{images.name}, cluster {config.cluster}"
    )
    check_images(images)
    return images


def stored_vocabulary(config, folder, images, given):
    """The words and vectors of a run: those of a file, or trained once; stored with the run."""
    path = folder / "vocabulary.npz"
    captions, held_out = (images.take(images.split == part).sentences()[0] for part in PARTS)
    if path.exists():
        vocabulary = load_vocabulary(path)
    else:
        vocabulary = given or train_word2vec(
            captions, config.vector_size, config.skip_gram, epochs=config.word2vec_epochs,
            seed=config.seed,
        )  # fmt: skip
        save_vocabulary(vocabulary, path)
    source = config.vectors or f"word2vec, of {len(captions)} training captions alone"
    print(f"vectors of {len(vocabulary.words) - 2} words: {source}")
    for part, texts in (("training", captions), ("held-out", held_out)):
        unknown = vocabulary.unknown(texts)
        if unknown:
            few = ", ".join(list(unknown)[:10]) + (", ..." if len(unknown) > 10 else "")
            print(
                f"words of {part} captions without a vector, which get the mean of all: "
                f"{sum(unknown.values())} of {count_words(texts).total()} ({few})"
            )
    return vocabulary


@report_input_errors
def main():
    config = tyro.cli(Config)
    preset = BUILT_IN if config.data is None else REDUCED if config.reduced else {}
    config = tyro.cli(Config, default=replace(config, **preset))
    check(config)
    images, vectors = load(config)
    with RunFolder("train_text2image", config) as run:
        print(f"run: {run.path}")
        jit_compile = set_up(config.deterministic)
        check_unchanged(run.path, images)
        if config.cluster is not None:
            images = one_cluster(config, run.path, images)
        print(describe(images))
        vocabulary = stored_vocabulary(config, run.path, images, vectors)
        settings = config, run.path, jit_compile, images, vocabulary
        if config.study:
            rows = figures = run_study(*settings)
        else:
            network, figures = run_once(*settings)
            rows = {config.model: figures}
        write_json(run.path / "result.json", figures)
        write_table(run.path, rows, f"{images.name}, captions kept from training")
        if not config.study and config.export:
            export(config, images, vocabulary, network, figures)
        print(f"figures and pictures: {run.path}")


if __name__ == "__main__":
    main()
