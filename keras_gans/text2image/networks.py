"""Figures 1 and 2: generator, discriminator and the whole network, as functional models."""

import keras
import tensorflow as tf
from keras import layers, ops

from keras_gans import replicas
from keras_gans.layers import (
    FusedBatchNormalization,
    PeepholeConvLSTM2D,
    SlotBatchNormalization,
)

BLOCK = 32  # words are packed in multiples of it, so that few shapes occur


def build_generator(
    vector_size: int = 400,
    image_size: int = 64,
    width: int = 64,
    channels: int = 3,
    activation: str = "tanh",
    slots: int = 0,
) -> keras.Model:
    """Builds figure 1: a dense layer and three transposed convolutions of stride 2.

    As in DCGAN they are 5x5, and batch normalisation and ReLU follow all but the last. At the
    report's sizes 7,584,195 parameters, with the moving averages.

    Args:
        vector_size: length D of a word vector, 400 in the report.
        image_size: side S of the maps, a multiple of 8; 64 in the report.
        width: filters of the last hidden layer; each before it has twice as many. 64 is our
            reading, the report has no number.
        channels: of the maps; 3 if they are images.
        activation: of the last layer.
        slots: if not 0, the number of places W in a sentence, each of which has statistics of
            its own in batch normalisation, see `SlotBatchNormalization`.

    Returns:
        Model "generator" from vectors (N, D) to maps (N, S, S, channels), in [-1, 1] if the
        activation is tanh; with `slots` from vectors and the words' places, int (N,).

    Raises:
        ValueError: if `image_size` is not a multiple of 8, or `vector_size` is below 1.
    """
    inputs, normalise = _generator_inputs(vector_size, slots)
    x = _hidden_layers(inputs[0], image_size, width, normalise)
    maps = layers.Conv2DTranspose(
        channels, 5, strides=2, padding="same", activation=activation, dtype="float32",
        name="maps",
    )(x)  # fmt: skip
    return keras.Model(inputs if slots else inputs[0], maps, name="generator")


def build_discriminator(
    image_size: int = 64, width: int = 64, vector_size: int = 0
) -> keras.Model:
    """Builds the discriminator, the generator's mirror image.

    The report says only that it is DCGAN's: 5x5 convolutions of stride 2, LeakyReLU of slope
    0.2, batch normalisation in all but the first. At the report's sizes 1,046,785 parameters.

    Args:
        image_size: side S of the images, a multiple of 8; 64 in the report.
        width: filters of the first layer; each after it has twice as many.
        vector_size: if not 0, the length D of vectors of texts, which it sees too: beside its
            last maps, as in Reed et al. 2016 (https://arxiv.org/abs/1605.05396).

    Returns:
        Model from images (N, S, S, 3) in [-1, 1] to logits (N, 1), high for real; with
        `vector_size` from [images, texts (N, D)].

    Raises:
        ValueError: if `image_size` is not a multiple of 8.
    """
    _eighth(image_size)
    images = keras.Input((image_size, image_size, 3), name="images")
    x = layers.Conv2D(width, 5, strides=2, padding="same")(images)
    x = layers.LeakyReLU(0.2)(x)
    for filters in (2 * width, 4 * width):
        x = layers.Conv2D(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(0.2)(_normalised(x))
    inputs = images
    if vector_size:
        texts = keras.Input((vector_size,), name="texts")
        inputs, side = [images, texts], x.shape[1]
        said = layers.LeakyReLU(0.2)(layers.Dense(2 * width)(texts))
        said = layers.UpSampling2D(side)(layers.Reshape((1, 1, 2 * width))(said))
        x = layers.Conv2D(4 * width, 1, use_bias=False)(layers.Concatenate()([x, said]))
        x = layers.LeakyReLU(0.2)(_normalised(x))
    logits = layers.Dense(1, dtype="float32", name="logits")(layers.Flatten()(x))
    return keras.Model(inputs, logits, name="discriminator")


def build_text_to_image(
    words: int = 25,
    vector_size: int = 400,
    image_size: int = 64,
    width: int = 64,
    convlstm: str = "refined",
    filters: int = 3,
    normalisation: str = "words",
) -> keras.Model:
    """Builds figure 2: one generator for all words, a ConvLSTM over what it gives for them.

    Padding costs nothing and counts nowhere while it trains: generator and refinement see only
    the words, so that batch normalisation has their statistics (a few of them twice, see
    `pack_words`). Otherwise all slots go through, and padding is blanked after each part; as
    batch normalisation then has its moving averages, a sentence gives the same images however
    many slots stand before it. At the report's sizes, with ConvLSTM "refined", 7,622,184
    parameters.

    Args:
        words: W, slots for words; 25 in the report.
        vector_size: length D of a word vector, 400 in the report.
        image_size: side S of the images, a multiple of 8; 64 in the report.
        width: of the generator, see `build_generator`.
        convlstm: where the ConvLSTM stands; the report tried all three.
            "refined": after the whole generator and before two transposed convolutions of
            stride 1, which change neither size nor channels, the report's choice. 5x5 and with
            batch normalisation and ReLU between them, as in the generator: our reading.
            "last": it is the last layer.
            "penultimate": before the generator's last transposed convolution, with as many
            filters as the maps there have channels, `width`.
        filters: channels of the maps in "refined" and "last", before the ConvLSTM and, in
            "refined", after it, up to the last layer. 3 in the report.
        normalisation: whose statistics batch normalisation takes, which the report tried in
            two layouts (section 6) without saying what each normalises. "words": those of all
            words of the batch (batch and length are one). "slots": those of each place in the
            sentence (length first, place by place); the moving averages then number W.
            "filled", ours: those of all words, of which as many come again as there is
            padding. XLA then knows all shapes, and computes as much as without padding.
            "conditional", ours: as "filled", and after the ConvLSTM of "refined" scale and
            offset of batch normalisation depend on the words so far, see `words_so_far`.

    Returns:
        Model from [vectors (N, W, D), mask bool (N, W)] to images (N, W, S, S, 3) in [-1, 1],
        which are 0 where the mask is false. Padding stands before the words. Its layer
        "generator" is the one for all words: that of `build_generator`, in "penultimate"
        without the last layer.

    Raises:
        ValueError: for an `image_size`, `convlstm` or `normalisation` that is not one of these,
            or `vector_size` below 1.
    """
    if normalisation not in ("words", "slots", "filled", "conditional"):
        raise ValueError(
            '`normalisation` must be "words", "slots", "filled" or "conditional". '
            f"Received: {normalisation!r}"
        )
    conditional = normalisation == "conditional"
    if conditional and convlstm != "refined":
        raise ValueError(f'"conditional" is for ConvLSTM "refined". Received: {convlstm!r}')
    slots = words if normalisation == "slots" else 0
    filled = conditional or normalisation == "filled"
    vectors = keras.Input((words, vector_size), name="vectors")
    mask = keras.Input((words,), dtype="bool", name="mask")
    if convlstm == "penultimate":
        one, normalise = _generator_inputs(vector_size, slots)
        maps = _hidden_layers(one[0], image_size, width, normalise)
        generator = keras.Model(one if slots else one[0], maps, name="generator")
        filters = width
    else:
        generator = build_generator(vector_size, image_size, width, filters, slots=slots)

    packed, places = PackWords(filled)(vectors, mask), None
    if slots:
        numbers = ops.cumsum(ops.ones_like(mask, dtype="int32"), axis=1) - 1
        places = PackWords()(numbers, mask)
    x = UnpackWords()(generator([packed, places] if slots else packed), mask)
    last = "float32"  # also where the others compute in less
    options = {"filters": 3, "dtype": last} if convlstm == "last" else {"filters": filters}
    x = PeepholeConvLSTM2D(**options)(x, mask=mask)
    if convlstm == "refined":
        x = PackWords(filled)(x, mask)
        x = layers.Conv2DTranspose(filters, 5, padding="same", use_bias=False)(x)
        x = _normalised(x, places, slots)
        if conditional:
            said = PackWords(filled)(words_so_far(vectors, mask), mask)
            scale, offset = (
                layers.Reshape((1, 1, filters))(layers.Dense(filters)(said)) for _ in range(2)
            )
            x = x * (1 + scale) + offset
        x = layers.ReLU()(x)
        x = layers.Conv2DTranspose(3, 5, padding="same", activation="tanh", dtype=last)(x)
        x = UnpackWords(dtype=last)(x, mask)
    elif convlstm == "penultimate":
        x = PackWords(filled)(x, mask)
        x = layers.Conv2DTranspose(
            3, 5, strides=2, padding="same", activation="tanh", dtype=last
        )(x)
        x = UnpackWords(dtype=last)(x, mask)
    elif convlstm != "last":
        raise ValueError(
            '`convlstm` must be "refined", "last" or "penultimate". '
            f"Received: convlstm={convlstm!r}"
        )
    return keras.Model([vectors, mask], x, name="text_to_image")


def pack_words(
    values: tf.Tensor, mask: tf.Tensor, filled: bool = False
) -> tuple[tf.Tensor, tf.Tensor]:
    """What the slots with words hold, without padding between.

    Args:
        values: (N, W, ...).
        mask: bool (N, W), where a word is.
        filled: whether K is N W, whatever the mask.

    Returns:
        tuple: (K, ...), where K is the number of words rounded up to a multiple of `BLOCK` but
        at most N W: the words in their order, then the first ones again; and weights (K,),
        float32, 1 for the words and 0 for their copies. (Without any word: padding, of weight
        0.) In a distributed training, of those of the global batch what this replica has.
    """
    slots, weights = _packing(mask, filled)
    return tf.gather(_flat(values), slots), weights


def words_so_far(vectors: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean of the vectors of a sentence's words up to each one.

    Args:
        vectors: float32 (..., W, D).
        mask: bool (..., W), padding in front.

    Returns:
        float32 (..., W, D); 0 where there was no word yet.
    """
    words = ops.expand_dims(ops.cast(mask, "float32"), -1)
    sums, counts = ops.cumsum(vectors * words, axis=-2), ops.cumsum(words, axis=-2)
    return sums / ops.maximum(counts, 1.0)


def _packing(mask, filled):
    is_word = ops.reshape(mask, (-1,))
    count = ops.sum(ops.cast(is_word, "int32"))
    in_order = tf.argsort(ops.cast(is_word, "int32"), direction="DESCENDING", stable=True)
    if replicas.several():
        return _packing_of_share(in_order, count)
    positions = ops.arange(ops.shape(is_word)[0])
    repeated = tf.gather(in_order, positions % ops.maximum(count, 1))
    blocks = ops.maximum((count + BLOCK - 1) // BLOCK, 1)
    slots = repeated if filled else tf.boolean_mask(repeated, positions < blocks * BLOCK)
    weights = ops.cast(ops.arange(ops.shape(slots)[0]) < count, "float32")
    return slots, weights


def _packing_of_share(in_order, count):
    first, everyone = replicas.before_and_all(count)
    slots = ops.shape(in_order)[0] * replicas.count()
    blocks = ops.maximum((everyone + BLOCK - 1) // BLOCK, 1)
    positions = ops.arange(ops.minimum(blocks * BLOCK, slots))
    number = positions % ops.maximum(everyone, 1) - first
    own = (number >= 0) & (number < count)
    weights = ops.cast(tf.boolean_mask(positions, own) < everyone, "float32")
    return tf.gather(in_order, tf.boolean_mask(number, own)), weights


def _flat(values):
    return ops.reshape(values, (-1, *values.shape[2:]))


@keras.saving.register_keras_serializable(package="keras_gans")
class PackWords(layers.Layer):
    """Folds time into the batch: in training only the words (`pack_words`), else all slots.

    Inputs: values (N, W, ...), is_word bool (N, W). Output: (K, ...), or (N W, ...).

    Args:
        filled: see `pack_words`.
    """

    def __init__(self, filled=False, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True
        self.filled = filled

    def call(self, values, is_word, training=None):
        return pack_words(values, is_word, self.filled)[0] if training else _flat(values)

    def compute_output_shape(self, values_shape, is_word_shape):
        return (None, *values_shape[2:])

    def compute_mask(self, values, previous_mask):
        return None  # there are no steps any more

    def get_config(self):
        return {**super().get_config(), "filled": self.filled}


@keras.saving.register_keras_serializable(package="keras_gans")
class UnpackWords(layers.Layer):
    """Undoes `PackWords`; slots without a word become zero.

    Inputs: values (K, ...) or (N W, ...), is_word bool (N, W). Output: (N, W, ...).
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, values, is_word, training=None):
        if training:
            number = ops.cumsum(ops.cast(ops.reshape(is_word, (-1,)), "int32")) - 1
            values = tf.gather(values, ops.maximum(number, 0))
        words = is_word.shape[1]
        values = ops.reshape(values, (-1, words, *values.shape[1:]))
        is_word = ops.reshape(is_word, (-1, words, *[1] * (len(values.shape) - 2)))
        return ops.where(is_word, values, ops.zeros((), values.dtype))

    def compute_output_shape(self, values_shape, is_word_shape):
        return (*is_word_shape, *values_shape[1:])

    def compute_mask(self, values, previous_mask):
        return None


def _generator_inputs(vector_size, slots):
    """The generator's inputs, and the function that normalises: by the places, if there are."""
    if vector_size < 1:
        raise ValueError(
            f"`vector_size` must be at least 1. Received: vector_size={vector_size}"
        )
    inputs = [keras.Input((vector_size,), name="vectors")]
    if not slots:
        return inputs, _normalised
    inputs.append(keras.Input((), dtype="int32", name="places"))
    return inputs, lambda x: _normalised(x, inputs[1], slots)


def _hidden_layers(vectors, image_size, width, normalise):
    """The generator without its last layer: maps (N, S/2, S/2, width)."""
    start = _eighth(image_size)
    x = layers.Dense(start * start * 4 * width, use_bias=False)(vectors)
    x = layers.ReLU()(normalise(layers.Reshape((start, start, 4 * width))(x)))
    for filters in (2 * width, width):
        x = layers.Conv2DTranspose(filters, 5, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(normalise(x))
    return x


def _normalised(x, places=None, slots=0):
    if slots:
        return SlotBatchNormalization(slots, momentum=0.9, epsilon=1e-5)([x, places])
    return FusedBatchNormalization(momentum=0.9, epsilon=1e-5)(x)


def _eighth(image_size):
    if image_size < 8 or image_size % 8:
        raise ValueError(
            f"`image_size` must be a multiple of 8. Received: image_size={image_size}"
        )
    return image_size // 8
