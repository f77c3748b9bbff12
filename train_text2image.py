"""Text to image: a sentence's words draw a picture, one after the other.

Ouyang, "Research and Thesis Report": word2vec, DCGAN and a convolutional LSTM.

    python train_text2image.py                          built-in flowers, for 2 cores
    python train_text2image.py --data DIR --reduced     your photos and captions, for CPUs;
                                                        for a GPU --photographs
    python train_text2image.py --data DIR               the report's sizes, for GPUs

DIR: Oxford flowers or CUB-200-2011 with their captions, Flickr8k or Flickr30k, or NAME.jpg and
NAME.txt, see docs/text2image.md. Settings: text2image/config.py; comparisons: studies/.
"""

from keras_gans.program import command_line, report_input_errors

from keras_gans.text2image.config import Config

if __name__ == "__main__":  # before TensorFlow is imported, which takes seconds
    config = command_line(Config)

from keras_gans.training.device import set_up, start, xla

import keras

from keras_gans.data.order import spread
from keras_gans.export.generator import export_generator
from keras_gans.files import write_json
from keras_gans.text2image import datasets
from keras_gans.text2image.callbacks import VectorGrids, WordGrids
from keras_gans.text2image.captioned_images import PARTS
from keras_gans.text2image.data import Sentences, sentence_batches, vector_batches
from keras_gans.text2image.dcgan import DCGAN
from keras_gans.text2image.evaluate import by_eyes, colour_agreement, distances, draw
from keras_gans.text2image.export import export_text_to_image
from keras_gans.text2image.gnn import GNN
from keras_gans.text2image.model import TextToImage
from keras_gans.text2image.networks import (
    build_discriminator,
    build_generator,
    build_text_to_image,
)
from keras_gans.text2image.report import draw_sentences, vectors_of, word_grid, write_table
from keras_gans.training.fit import fit
from keras_gans.training.precision import built_in, in_float32
from keras_gans.training.run_folder import RunFolder

SHOWN = 8  # held-out sentences drawn after every epoch


def build_model(config):
    """One of the report's models, with new weights."""
    keras.utils.set_random_seed(config.seed)
    size = config.image_size, config.width
    if config.model == "full":
        network = build_text_to_image(
            config.words, config.vector_size, *size, config.convlstm, config.filters,
            config.normalisation,
        )  # fmt: skip
        return TextToImage(
            network, build_discriminator(*size, config.matching * config.vector_size),
            config.euclidean, config.penalty, config.adversarial_weight, config.blurred,
            config.augment, config.average,
        )  # fmt: skip
    generator = build_generator(config.vector_size, *size)
    if config.model == "dcgan":
        return DCGAN(generator, build_discriminator(*size), config.blurred)
    return GNN(generator)


def train(config, folder, images, held_out, vocabulary):
    """Trains a model on `images`; goes on where the run stopped. Returns its network."""
    captions, owners = images.sentences()
    ids = vocabulary.encode(captions, config.words)
    sentences = Sentences(images.images, ids, owners, vocabulary.vectors)
    shown, real = held_out.some_captions(SHOWN)
    model = built_in(config.precision, build_model, config)
    if config.model == "full":
        how = config.seed, config.real, None, config.matching
        batch = sentence_batches(sentences, config.batch_size, *how)
        monitor = WordGrids(shown, real, vocabulary, folder / "samples")
    else:
        how = config.seed, config.condition, config.sentence
        batch = vector_batches(sentences, config.batch_size, *how)
        vectors = vectors_of(config, vocabulary, vocabulary.encode(shown, config.words))
        monitor = VectorGrids(vectors, folder / "samples", real)
    rates = config.learning_rate, config.beta_1
    optimizers = [keras.optimizers.Adam(*rates) for _ in model.trained]
    model.compile(*optimizers, jit_compile=xla())
    fit(folder / config.model, model, batch, config.schedule(len(ids)), [monitor])
    return in_float32(model.averaged if config.model == "full" else model.generator)


def run(config, folder, images, vocabulary):
    """One training, measured on captions kept from it: the network, and figures as a dict."""
    folder.mkdir(parents=True, exist_ok=True)
    images, held_out = (images.take(images.split == part) for part in PARTS)
    network = train(config, folder, images, held_out, vocabulary)
    captions, owners = held_out.sentences()
    measured = spread(len(captions), config.score_captions)
    captions, owners = [captions[number] for number in measured], owners[measured]
    pictures = draw_sentences(config, network, vocabulary, captions)
    if config.model == "full":
        shown, real = held_out.some_captions(2 * SHOWN)
        by_word = draw(network, vocabulary.vectors, vocabulary.encode(shown, config.words))
        word_grid(folder / "words.png", shown, by_word, real)
    figures = distances(pictures, owners, held_out.images, images.images, config.seed)
    figures |= by_eyes(pictures, owners, held_out.images, config.seed)
    if config.data is None:
        colours = held_out.petals[owners], held_out.centres[owners]
        figures |= colour_agreement(pictures, *colours, config.seed)
    return network, figures | {
        "trained_on": len(images),
        "epochs": config.epochs,
        "seed": config.seed,
        "set": images.name,
    }


def export(folder, images, vocabulary, network, figures):
    """Writes a SavedModel and TFLite files; prints what they cost and how far they drift."""
    config, card = folder.config, folder.model_card(images.name, figures)
    suffix = "" if config.data else "-synthetic"
    base = config.export / f"text2image{'' if config.model == 'full' else f'-{config.model}'}"
    if config.model == "dcgan" and config.condition == "noise":
        paths = export_generator(network, f"{base}-noise{suffix}", card)
    else:
        examples, _ = images.take(images.split == "test").some_captions(50)
        path = f"{base}{suffix}"
        paths = export_text_to_image(network, vocabulary, path, card, config.words, examples)
    return [paths["saved_model"]]


@report_input_errors
def main(config):
    start(config)
    images, vectors = datasets.load(config)
    with RunFolder("train_text2image", config) as folder:
        print(f"run: {folder.path}")
        set_up(config.deterministic)
        images, vocabulary = datasets.prepare(config, folder.path, images, vectors)
        network, figures = run(config, folder.path, images, vocabulary)
        write_json(folder.path / "result.json", figures)
        title = f"{images.name}, captions kept from training"
        write_table(folder.path, {config.model: figures}, title)
        folder.export(export, images, vocabulary, network, figures)
        print(f"figures and pictures: {folder.path}")


if __name__ == "__main__":
    main(config)
