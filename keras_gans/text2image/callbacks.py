"""What people watch while the networks train."""

from pathlib import Path

import keras

from keras_gans.report.pictures import sample_grid, samples_beside
from keras_gans.text2image.evaluate import draw_vectors, traced_drawing
from keras_gans.text2image.report import word_grid


class WordGrids(keras.callbacks.Callback):
    """Draws the same sentences after every epoch, word by word.

    For models with a network `averaged` from `build_text_to_image`, such as `TextToImage`.

    Args:
        sentences: list of str, none of which should be trained on.
        real: uint8 (N, S, S, 3), the image of each.
        vocabulary: `keras_gans.text2image.captions.Vocabulary`.
        folder: for `epoch-NNN.png`, see `word_grid`.
    """

    def __init__(self, sentences, real, vocabulary, folder):
        super().__init__()
        self.sentences, self.real, self.vocabulary = sentences, real, vocabulary
        self.folder = Path(folder)
        self._drawing = None

    def on_epoch_end(self, epoch, logs=None):
        network = self.model.averaged
        if self._drawing is None:  # traced once
            self._drawing = traced_drawing(network)
        ids = self.vocabulary.encode(self.sentences, network.input_shape[0][1])
        pictures = self._drawing(self.vocabulary.vectors[ids], ids != 0).numpy()
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"epoch-{epoch + 1:03d}.png"
        word_grid(path, self.sentences, pictures, self.real)


class VectorGrids(keras.callbacks.Callback):
    """Draws the same vectors after every epoch.

    For models with a `generator` from `build_generator`, such as `DCGAN` and `GNN`.

    Args:
        vectors: float32 (N, D), of words, of sentences, or noise.
        folder: for `epoch-NNN.png`.
        real: uint8 (N, S, S, 3), the image that belongs to each vector, shown beside them;
            `None` where they belong to none.
        columns: images in a row.
    """

    def __init__(self, vectors, folder, real=None, columns=8):
        super().__init__()
        self.vectors, self.folder = vectors, Path(folder)
        self.real, self.columns = real, columns

    def on_epoch_end(self, epoch, logs=None):
        pictures = draw_vectors(self.model.generator, self.vectors)
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"epoch-{epoch + 1:03d}.png"
        if self.real is None:
            sample_grid(path, pictures, self.columns)
        else:
            samples_beside(path, {"drawn": pictures, "real": self.real}, self.columns)
