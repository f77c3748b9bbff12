"""Pictures as files inside graphs: for signatures that take and give JPEG and PNG.

What a server is sent is checked before it is decoded: a header of a few bytes may promise
pixels that no memory holds.
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_gans.export.checks import after

MOST_PIXELS = 2**26  # of a picture; as floats so many take 0.8 GB
PARALLEL = 2  # files of a batch at once: memory is for so many pictures
QUALITY = 95  # of a JPEG, as the commands write it
HEAD = 2**16  # bytes at the beginning of a file, where header and EXIF stand
ENTRIES = 64  # of EXIF's first directory, at most
ORIENTATION = 0x0112


class File(NamedTuple):
    """A JPEG or PNG, checked and not decoded yet: tensors.

    Attributes:
        content: string scalar.
        head: int32 (`HEAD`,), its first bytes, zeros behind a shorter one.
        jpeg: bool scalar; else it is a PNG.
        bits: int32 scalar, of a channel: 16 (linear), or at most 8 (sRGB).
        channels: int32 scalar, 1 to 4, as they are stored; 3 of a palette.
    """

    content: tf.Tensor
    head: tf.Tensor
    jpeg: tf.Tensor
    bits: tf.Tensor
    channels: tf.Tensor


def map_files(function: Callable, contents: tf.Tensor, outputs: dict) -> dict[str, tf.Tensor]:
    """Applies a function to files, `PARALLEL` of them at a time.

    Args:
        function: from a string scalar to a dict of tensors.
        contents: string (N,).
        outputs: name -> `tf.TensorSpec` of one file's output.

    Raises:
        tf.errors.InvalidArgumentError: there is no file; what the function raises.
    """
    contents = after(contents, [(tf.size(contents) > 0, "image_bytes must be one or more")])
    return tf.map_fn(
        function, contents, fn_output_signature=outputs, parallel_iterations=PARALLEL
    )


def checked_file(content: tf.Tensor, side: int = 1, most: int = MOST_PIXELS) -> File:
    """Reads the header of a file.

    Args:
        content: string scalar.
        side: least height and width in pixels.
        most: pixels, at most.

    Raises:
        tf.errors.InvalidArgumentError: not a JPEG or PNG, or of another size.
    """
    head = tf.io.decode_raw(tf.strings.substr(content, 0, HEAD), tf.uint8)
    head = tf.pad(tf.cast(head, tf.int32), [[0, HEAD - tf.size(head)]])
    jpeg = _found(head, b"\xff\xd8\xff")
    png = _found(head, b"\x89PNG\r\n\x1a\n") & _found(head[12:], b"IHDR")
    known = after(content, [(jpeg | png, "image_bytes must each be a JPEG or a PNG")])

    def of_jpeg():
        height, width, channels = tf.unstack(tf.image.extract_jpeg_shape(known))
        return tf.cast([height, width], tf.int64), 8, channels

    def of_png():
        size = [_number(head, place, 4, tf.int64) for place in (20, 16)]
        channels = tf.gather([1, 0, 3, 3, 2, 0, 4, 0], tf.minimum(head[25], 7))
        return tf.stack(size), head[24], channels

    size, bits, channels = tf.cond(jpeg, of_jpeg, of_png)
    checks = [
        (tf.reduce_min(size) >= side, f"images must be at least {side}x{side} pixels"),
        (size[0] * size[1] <= most, f"images must be of {most} pixels at most"),
    ]
    return File(after(known, checks), head, jpeg, bits, channels)


def decoded(file: File) -> tf.Tensor:
    """The pixels of a file of 8 bits, upright: uint8 (H, W, 3), sRGB.

    Grey is replicated, transparency dropped, a palette or CMYK converted, a profile left out.
    A JPEG is decoded accurately, as Pillow does: the fast way moves an estimated light by half
    a degree. It is turned as its EXIF orientation says, a PNG comes as it is stored.

    Raises:
        tf.errors.InvalidArgumentError: truncated or damaged; deeper.
    """
    deep = "image_bytes must have 8 bits a channel"
    content = after(file.content, [(file.bits <= 8, deep)])

    def jpeg():
        image = tf.io.decode_jpeg(content, channels=3, dct_method="INTEGER_ACCURATE")
        return upright(image, orientation(file.head))

    return tf.cond(file.jpeg, jpeg, lambda: tf.io.decode_png(content, channels=3))


def decoded_deep(file: File) -> tf.Tensor:
    """The pixels of a PNG of 16 bits in colour: uint16 (H, W, 3), linear.

    Raises:
        tf.errors.InvalidArgumentError: truncated or damaged; grey.
    """
    grey = "image_bytes of 16 bits must be in colour"
    content = after(file.content, [(file.channels > 2, grey)])
    return tf.io.decode_png(content, channels=3, dtype=tf.uint16)


def orientation(head: tf.Tensor) -> tf.Tensor:
    """EXIF's number, 1 to 8, of a JPEG: int32 scalar; 1 if it has none that can be read.

    Args:
        head: see `File`.
    """
    places = tf.range(HEAD - 10)
    segment = zip((0, 1, 4, 5, 6, 7, 8, 9), b"\xff\xe1Exif\0\0")  # its length stands between
    starts = [tf.equal(head[shift : shift + HEAD - 10], byte) for shift, byte in segment]
    starts = tf.reduce_all(starts, axis=0)
    start = tf.reduce_min(tf.where(starts, places, HEAD)) + 10  # of the TIFF inside
    tiff = tf.concat([head[start:], tf.zeros([HEAD], tf.int32)], axis=0)
    little = tf.equal(tiff[0], ord("I"))

    def number(place, length):
        big = _number(tiff, place, length)
        return tf.where(little, _number(tiff, place, length, little=True), big)

    directory = tf.clip_by_value(number(4, 4), 0, HEAD - 2)
    count = tf.minimum(number(directory, 2), ENTRIES)
    entries = directory + 2 + 12 * tf.range(count)
    entries = tf.minimum(entries, 2 * HEAD - 12 - start)
    found = tf.where(tf.equal(number(entries, 2), ORIENTATION), number(entries + 8, 2), 0)
    found = tf.reduce_max(tf.concat([found, [0]], axis=0))
    return tf.where((found >= 1) & (found <= 8), found, 1)


def upright(image: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Turns an image (H, W, C) as EXIF's number, int32 scalar from 1 to 8, says."""

    def among(*numbers):
        return tf.reduce_any(tf.equal(number, numbers))

    image = tf.cond(number >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    for axis, numbers in ((1, (2, 3, 6, 7)), (0, (3, 4, 7, 8))):
        image = tf.cond(among(*numbers), lambda: tf.reverse(image, [axis]), lambda: image)
    return image


def srgb_curve(linear: tf.Tensor) -> tf.Tensor:
    """`keras_gans.data.srgb.linear_to_srgb` as a graph; values beyond [0, 1] are clipped."""
    linear = tf.clip_by_value(linear, 0, 1)
    curve = 1.055 * linear ** (1 / 2.4) - 0.055
    return tf.where(linear <= 0.0031308, 12.92 * linear, curve)


def _found(head, text):
    """Whether the bytes begin with a text."""
    return tf.reduce_all(tf.equal(head[: len(text)], list(text)))


def _number(head, place, length, dtype=tf.int32, little=False):
    """The numbers at places, of so many bytes each."""
    order = range(length) if little else reversed(range(length))
    return tf.add_n(
        [tf.cast(tf.gather(head, place + i), dtype) * 256**k for i, k in enumerate(order)]
    )
