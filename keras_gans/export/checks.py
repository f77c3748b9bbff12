"""What a served model refuses: checks as graph operations, for SavedModels.

A server answers bad input with INVALID_ARGUMENT and one of these messages, never with NaN. Each
function returns what it is given, to be used instead of it: what follows waits for the check.
TFLite has no assertions: `nan_unless` marks the result instead.

Every signature refuses an empty batch.
"""

import tensorflow as tf

# of pixels in [0, 1]: an average of ones may round to a little more, resizers undershoot 0
DARKEST, BRIGHTEST = -0.01, 1.001
FARTHEST = 100.0  # of latent values: normal ones stay below 10, and far ones overflow
MOST_IMAGES = 4096  # of one call of a seed
LONGEST = 10_000  # bytes of a sentence


def checked_pixels(images: tf.Tensor, side: int = 1) -> tf.Tensor:
    """Images (N, H, W, C), N at least 1, H and W at least `side`.

    Raises:
        tf.errors.InvalidArgumentError: fewer or smaller; of floats, NaN or, by more than a
            rounding, outside [0, 1].
    """
    shape = tf.shape(images)
    checks = [
        (shape[0] > 0, "images must be one or more"),
        (
            tf.reduce_min(shape[1:3]) >= side,
            f"images must be at least {side}x{side} pixels",
        ),
    ]
    if images.dtype.is_floating:
        inside = within(images, DARKEST, BRIGHTEST)
        checks.append((inside, "images must be finite and from 0 to 1"))
    return after(images, checks)


def checked_latent(z: tf.Tensor) -> tf.Tensor:
    """Latent vectors (N, D), N at least 1, within `FARTHEST` of 0.

    Raises:
        tf.errors.InvalidArgumentError: there are none, or others.
    """
    far = f"z must be finite and from {-FARTHEST:g} to {FARTHEST:g}"
    return after(
        z,
        [
            (tf.shape(z)[0] > 0, "z must be one or more"),
            (within(z, -FARTHEST, FARTHEST), far),
        ],
    )


def checked_label(label: tf.Tensor, low: int, classes: int) -> tf.Tensor:
    """Labels, int, from `low` to `classes - 1`.

    Raises:
        tf.errors.InvalidArgumentError: others.
    """
    message = f"label must be from {low} to {classes - 1}"
    return after(label, [(within(label, low, classes - 1), message)])


def checked_batch(numbers: tf.Tensor) -> tf.Tensor:
    """What a row of each image holds (N,), N from 1 to `MOST_IMAGES`.

    Raises:
        tf.errors.InvalidArgumentError: none, or more.
    """
    message = f"a request must be of 1 to {MOST_IMAGES} images"
    return after(numbers, [(within(tf.size(numbers), 1, MOST_IMAGES), message)])


def checked_numbers(first: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Numbers of images, int64 (count,), from `first`; not negative, at most `MOST_IMAGES`.

    Raises:
        tf.errors.InvalidArgumentError: others.
    """
    last = tf.int64.max - MOST_IMAGES
    count = after(
        tf.cast(count, tf.int64),
        [
            (within(first, 0, last), f"first must be from 0 to {last}"),
            (within(count, 1, MOST_IMAGES), f"count must be from 1 to {MOST_IMAGES}"),
        ],
    )
    return first + tf.range(count)


def checked_captions(captions: tf.Tensor) -> tf.Tensor:
    """Sentences, string (N,), N at least 1, UTF-8 of at most `LONGEST` bytes.

    Raises:
        tf.errors.InvalidArgumentError: none, or others.
    """
    same = tf.strings.unicode_transcode(captions, "UTF-8", "UTF-8", errors="replace")
    lengths = tf.strings.length(captions)
    return after(
        captions,
        [
            (tf.shape(captions)[0] > 0, "captions must be one or more"),
            (tf.reduce_all(lengths <= LONGEST), f"captions must be {LONGEST} bytes at most"),
            (tf.reduce_all(tf.equal(same, captions)), "captions must be UTF-8"),
        ],
    )


def checked_words(ids: tf.Tensor, known: tf.Tensor, message: str) -> tf.Tensor:
    """Ids (N, W) of the words of sentences, in each of which one is `known`, bool (N, W).

    Raises:
        tf.errors.InvalidArgumentError: there is a sentence without one.
    """
    return after(ids, [(tf.reduce_all(tf.reduce_any(known, axis=1)), message)])


def within(values: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """Whether all values are from `low` to `high`, and none is NaN: bool scalar."""
    return tf.reduce_all((values >= low) & (values <= high))


def nan_unless(valid: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """The values, or NaN in their stead where `valid`, a bool scalar, is false; for TFLite."""
    one = tf.cast(valid, values.dtype)
    return values * (one / one)  # a constant NaN would not survive the calibration of int8


def after(tensor: tf.Tensor, checks: list[tuple[tf.Tensor, str]]) -> tf.Tensor:
    """The tensor, after each of (bool scalar, message) was found true."""
    asserts = [tf.debugging.Assert(fine, [message]) for fine, message in checks]
    with tf.control_dependencies(asserts):
        return tf.identity(tensor)
