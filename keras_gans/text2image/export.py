"""Text to image as files: a SavedModel that takes sentences, TFLite for a phone."""

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_levels
from keras_gans.export.checks import checked_captions, checked_words
from keras_gans.export.parity import compare, print_parity
from keras_gans.export.saved_model import export_saved_model, output_folder
from keras_gans.export.tflite import convert, write_models
from keras_gans.files import replacing
from keras_gans.layers import PeepholeConvLSTM2D
from keras_gans.text2image.captions import SEPARATORS, Vocabulary
from keras_gans.text2image.lite import sentence_of

PRECISIONS = ("float32", "float16")  # in int8 the noise of rounding would be in the picture


def export_text_to_image(
    network: keras.Model,
    vocabulary: Vocabulary,
    base: Path | str,
    metadata: dict,
    length: int = 25,
    examples: list[str] | None = None,
) -> dict[str, Path]:
    """Exports a model that draws sentences.

    Writes

    - `base/<version>/`: a SavedModel in TensorFlow Serving's layout, which splits sentences
      into words (as `captions.tokenize`) and looks up their vectors itself. Of a sentence the
      first W words count; fewer stand at the end of the W places, so that the last place has
      the last word. Two signatures take `captions`, string (N,), UTF-8:
      `serving_default` gives `images`, uint8 (N, S, S, 3), the pictures of the sentences;
      `words` gives them too, and `pictures`, uint8 (N, W, S, S, 3), one a word (up to that
      word, by the whole network; of that word alone, by a generator); `words`, string (N, W),
      "" in empty places, whose pictures mean nothing; `known`, bool (N, W), where the
      vocabulary has the word; and `count`, int32 (N,), of all words, those after the W-th
      too. Both refuse empty batches, and sentences that are not UTF-8, too long
      (`checks.LONGEST`) or without a word. A sentence of unknown words alone is refused by the
      first; of `words` it has pictures, which say nothing of it, and `known` tells so.
      `assets.extra/model.json` holds `metadata`, and beside it `length` (W), `vector_size`
      (D), `image_size` (S) and `vocabulary`, the number of known words. `bytes` takes
      `caption`, string (N,), and gives the pictures as PNG: `image_bytes`, string (N,).
    - `base/NAME-float32.tflite` and `-float16`, where NAME is the last part of `base`. Of the
      whole network: from `vectors`, float32 (1, W, D), and `mask`, bool (1, W), false in the
      empty places in front, to `images` (1, S, S, 3) and `pictures` (1, W, S, S, 3), uint8.
      Of a generator: from `vectors` (1, D), the words' mean or sum, to `images`.
    - `base/words.txt` and `base/vectors.npy`, the vocabulary for those files: line i (from 0)
      is the word whose vector is row i, float32 (V, D). Line 0 is empty, row 0 zeros, for an
      empty place; row 1 is the vector of every word that is not listed.

    Args:
        network: the model of `build_text_to_image`, or a generator from vectors (N, D) to
            images in [-1, 1]; it then sees the mean of a sentence's vectors.
        vocabulary: `captions.Vocabulary`, which it was trained with.
        base: folder, made if missing.
        metadata: dict of what can be written as JSON (what it was trained on, its figures).
            Where its `settings` have `"sentence": "sum"`, a generator sees the sum.
        length: W of a generator; the whole network has its own.
        examples: list of sentences; if given, what `compare_text_to_image` finds on them is
            printed.

    Returns:
        dict: `saved_model`, the names of the TFLite files (without suffix), `words` and
        `vectors` -> `Path`.

    Raises:
        InputError: if `base` cannot be written.
        ValueError: if the vectors are not as long as the network's.
    """
    size = network.inputs[0].shape[-1]
    if vocabulary.vectors.shape[1] != size:
        raise ValueError(
            f"The network takes vectors of {size} numbers. Received: a vocabulary of vectors "
            f"of {vocabulary.vectors.shape[1]}"
        )
    base = Path(base)
    with output_folder(base):
        pass  # finds out before the work whether `base` can be written
    length = network.inputs[0].shape[1] if _is_whole(network) else length
    models = {
        f"{base.name}-{precision}": convert_text_to_image(network, precision)
        for precision in PRECISIONS
    }
    metadata = {
        **metadata,
        "length": length,
        "vector_size": size,
        "image_size": network.output_shape[-2],
        "vocabulary": len(vocabulary.words) - 2,
    }
    reader = SentenceReader(vocabulary, length)
    how = sentence_of(metadata)
    endpoints = _endpoints(network, reader, how)
    sentence = np.array([vocabulary.words[2]], object)
    warmup = {
        name: {spec.name: sentence for spec in specs} for name, (_, specs) in endpoints.items()
    }
    version = export_saved_model(base, network, endpoints, metadata, [reader], warmup)
    files = write_models(models, version, metadata)
    paths = {
        "saved_model": version,
        **files,
        "words": base / "words.txt",
        "vectors": base / "vectors.npy",
    }
    with replacing(paths["words"]) as temporary:
        text = "".join(f"{word}\n" for word in vocabulary.words)
        temporary.write_text(text, encoding="utf-8", newline="")
    with replacing(paths["vectors"]) as temporary, open(temporary, "wb") as file:
        np.save(file, vocabulary.vectors)
    if examples is not None:
        rows = compare_text_to_image(network, files, vocabulary, examples, how)
        print_parity(rows, "exported; pictures against Keras, in grey levels", "levels")
    return paths


class SentenceReader(tf.Module):
    """What a sentence is to a network, as a TensorFlow graph.

    Args:
        vocabulary: `captions.Vocabulary`.
        length: W.
    """

    def __init__(self, vocabulary, length):
        super().__init__()
        self.length = length
        ids = tf.range(len(vocabulary.words), dtype=tf.int32)
        pairs = tf.lookup.KeyValueTensorInitializer(list(vocabulary.words), ids)
        self.table = tf.lookup.StaticHashTable(pairs, default_value=1)
        self.vectors = tf.Variable(vocabulary.vectors, trainable=False, name="vectors")

    def __call__(self, captions):
        """Sentences, string (N,) -> words, string (N, W), ids, int32 (N, W), count (N,)."""
        tokens = split_words(captions)
        count = tf.cast(tokens.row_lengths(), tf.int32)
        words = tokens.to_tensor("", shape=[None, self.length])
        # from the front, where they are now, to the end
        places = tf.range(self.length) - tf.maximum(self.length - count, 0)[:, None]
        words = tf.gather(words, tf.maximum(places, 0), axis=1, batch_dims=1)
        words = tf.where(places >= 0, words, "")
        return words, self.table.lookup(words), count


def split_words(captions: tf.Tensor) -> tf.RaggedTensor:
    """`captions.tokenize` as a graph, and the same in whatever language the machine is set to.

    Args:
        captions: string tensor (N,), UTF-8.

    Returns:
        string `tf.RaggedTensor` (N, words of each).
    """
    text = tf.strings.regex_replace(captions, SEPARATORS, " ")
    text = tf.strings.lower(text)  # of ASCII: where Turkish is set, the next has no i for I
    return tf.strings.split(tf.strings.lower(text, encoding="utf-8"))


def convert_text_to_image(network: keras.Model, precision: str) -> bytes:
    """Converts a network to TFLite, for one sentence: bytes.

    Args:
        network: see `export_text_to_image`; what the file takes and gives is said there. The
            steps of the ConvLSTM stand one after the other in it.
        precision: `"float32"` or `"float16"`.
    """
    shape = [1, *network.inputs[0].shape[1:]]
    signature = [tf.TensorSpec(shape, tf.float32, name="vectors")]
    about = {
        "task": "text to image",
        "inputs": {
            "vectors": {"values": "mean or sum (model.json) of the words' (vectors.npy)"}
        },
        "outputs": {"images": {"values": "sRGB, 0 to 255", "range": [0, 255]}},
    }
    if not _is_whole(network):
        return convert(lambda v: {"images": _draw(network, v)}, signature, about, precision)
    places = "the last words at the end, zeros in front"
    about["inputs"] = {
        "vectors": {"values": f"vectors of the words (vectors.npy), {places}"},
        "mask": {"values": "where there is a word"},
    }
    about["outputs"]["pictures"] = {"values": "sRGB, 0 to 255, up to each word"}
    network = unrolled(network)
    signature.append(tf.TensorSpec(shape[:2], tf.bool, name="mask"))

    def draw(vectors, mask):
        pictures = _draw(network, [vectors, mask])
        return {"images": pictures[:, -1], "pictures": pictures}

    return convert(draw, signature, about, precision)


def unrolled(network: keras.Model) -> keras.Model:
    """The same network with its ConvLSTM's steps one after the other instead of a loop.

    Args:
        network: the model of `build_text_to_image`.

    Returns:
        `keras.Model` that shares all layers but the ConvLSTM, of which it has a copy.
    """

    def copy(layer):
        if not isinstance(layer, PeepholeConvLSTM2D):
            return layer
        return PeepholeConvLSTM2D.from_config(layer.get_config() | {"unroll": True})

    result = keras.models.clone_model(network, clone_function=copy)
    result.set_weights(network.get_weights())
    return result


def compare_text_to_image(
    network: keras.Model,
    paths: dict[str, Path],
    vocabulary: Vocabulary,
    sentences: list[str],
    how: str = "mean",
):
    """Size, latency and drift of TFLite files against the Keras model.

    Args:
        network: the model that was exported.
        paths: dict name -> path of a TFLite file.
        vocabulary: `captions.Vocabulary`.
        sentences: list of str.
        how: see `pooled`.

    Returns:
        `pandas.DataFrame` as `keras_gans.export.parity.compare` gives it; `mean` and `max` are
        differences in grey levels over all pictures.
    """
    whole = _is_whole(network)
    ids = vocabulary.encode(sentences, *network.inputs[0].shape[1:-1])
    vectors, mask = vocabulary.vectors[ids], ids != 0
    if whole:
        inputs, output = {"vectors": vectors, "mask": mask}, "pictures"
        expected = _draw(network, [vectors, mask])
    else:
        inputs, output = {"vectors": pooled(vectors, mask, how).numpy()}, "images"
        expected = _draw(network, inputs["vectors"])

    def difference(expected, outputs):
        return np.abs(expected.astype(int) - outputs[output][0])

    singles = [
        {name: values[i : i + 1] for name, values in inputs.items()}
        for i in range(len(sentences))
    ]
    return compare(paths, singles, expected.numpy(), difference)


def pooled(vectors: tf.Tensor, mask: tf.Tensor, how: str) -> tf.Tensor:
    """What a generator is given for a sentence: the mean of its words' vectors, or the sum.

    Args:
        vectors: float32 (N, W, D), zeros where there is no word.
        mask: bool (N, W), whether there is one.
        how: "mean" or "sum".

    Returns:
        float32 (N, D); zeros where there is no word.
    """
    if how == "sum":
        return tf.reduce_sum(vectors, axis=1)
    count = tf.reduce_sum(tf.cast(mask, tf.float32), axis=1, keepdims=True)
    return tf.reduce_sum(vectors, axis=1) / tf.maximum(count, 1)


def _endpoints(network, reader, how):
    def read(captions):
        words, ids, count = reader(checked_captions(captions))
        return words, ids, count, tf.gather(reader.vectors, ids)

    shape = [None, *network.inputs[0].shape[1:]]
    spec = [tf.TensorSpec(shape, tf.float32)]
    spec += [tf.TensorSpec(shape[:2], tf.bool)] if _is_whole(network) else []
    single = len(spec) == 1
    draw = tf.function(lambda *xs: _draw(network, xs[0] if single else xs), spec)

    def images(vectors, mask):
        if _is_whole(network):
            return draw(vectors, mask)[:, -1]
        return draw(pooled(vectors, mask, how))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(captions):
        _, ids, _, vectors = read(captions)
        ids = checked_words(ids, ids > 1, "captions must each have a word that is known")
        return {"images": images(vectors, ids != 0)}

    def serve_bytes(caption):
        images = serve(caption)["images"]
        png = tf.TensorSpec([], tf.string)
        return {"image_bytes": tf.map_fn(tf.io.encode_png, images, fn_output_signature=png)}

    def serve_words(captions):
        words, ids, count, vectors = read(captions)
        ids = checked_words(ids, ids > 0, "captions must each have a word")
        if _is_whole(network):
            pictures = draw(vectors, ids != 0)
            last = pictures[:, -1]
        else:
            flat = draw(tf.reshape(vectors, [-1, vectors.shape[-1]]))
            pictures = tf.reshape(flat, [-1, reader.length, *flat.shape[1:]])
            last = images(vectors, ids != 0)
        return {
            "images": last,
            "pictures": pictures,
            "words": words,
            "known": ids > 1,
            "count": count,
        }

    captions, caption = (
        [tf.TensorSpec([None], tf.string, name=name)] for name in ("captions", "caption")
    )
    return {
        "serving_default": (serve, captions),
        "words": (serve_words, captions),
        "bytes": (serve_bytes, caption),
    }


def _draw(network, inputs):
    """The network's images as uint8."""
    return to_levels(network(inputs, training=False))


def _is_whole(network):
    """Whether it is the network of figure 2, which takes words one by one; or a generator."""
    return len(network.inputs) == 2
