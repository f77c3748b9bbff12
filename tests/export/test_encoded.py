"""JPEG and PNG in graphs: decoded as the commands read them, and refused before they are."""

import io
import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.data.images import open_photo
from keras_gans.export.encoded import checked_file, decoded, decoded_deep

WAVES = np.sin(np.mgrid[:20, :37].sum(axis=0)[..., None] / [3, 5, 9])
PIXELS = np.rint(127 + 120 * WAVES).astype(np.uint8)
PICTURE = Image.fromarray(PIXELS)


def content(kind="PNG", picture=PICTURE, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decode(content):
    return decoded(checked_file(content, side=16, most=1000))


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def decode_deep(content):
    return decoded_deep(checked_file(content))


def exif(number, order):
    exif = Image.Exif()
    exif.endian = order
    exif[271], exif[274] = "a maker", number
    return exif


CONTENTS = {
    **{f"turned {n}": content("JPEG", exif=exif(n, "<>"[n % 2])) for n in range(1, 9)},
    "no such orientation": content("JPEG", exif=exif(9, "<")),
    "progressive": content("JPEG", progressive=True, subsampling=0),
    "grey JPEG": content("JPEG", PICTURE.convert("L")),
    "CMYK": content("JPEG", PICTURE.convert("CMYK")),
    "PNG": content(),
    "palette": content(picture=PICTURE.convert("P")),
    "alpha": content(picture=PICTURE.convert("RGBA")),
    "black and white": content(picture=PICTURE.convert("1")),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_pixels_are_those_that_the_commands_read(tmp_path, name):
    (tmp_path / "file").write_bytes(CONTENTS[name])
    expected = open_photo(tmp_path / "file")[0][:]
    np.testing.assert_array_equal(decode(CONTENTS[name]), expected)


def test_sixteen_bits():
    pixels = PIXELS.astype(np.uint16) * 257 - 1
    deep = tf.io.encode_png(pixels).numpy()
    np.testing.assert_array_equal(decode_deep(deep), pixels)
    grey = tf.io.encode_png(pixels[..., :1]).numpy()
    for function, given, message in (
        (decode_deep, grey, "16 bits must be in colour"),
        (decode, deep, "must have 8 bits a channel"),
        (decode_deep, deep[: len(deep) // 2], "Invalid PNG"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            function(given)


def sized(width, height):
    return content()[:16] + struct.pack(">II", width, height) + content()[24:]


JPEG = CONTENTS["progressive"]
BAD = {
    "must each be a JPEG or a PNG": [b"", b"\xff\xd8", b"GIF89a" + bytes(99), content()[:12]],
    "at least 16x16 pixels": [sized(37, 15), sized(0, 0), content()[:20]],
    "1000 pixels at most": [sized(60000, 60000), sized(2**31, 2**31), sized(2**32 - 1, 16)],
    "Invalid (PNG|JPEG)": [content()[:90], JPEG[:40], JPEG[: len(JPEG) // 2], JPEG[:-30]],
}


@pytest.mark.parametrize("message", BAD)
def test_others_are_refused(message):
    for each in BAD[message]:
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            decode(each)


def test_a_file_of_noise_is_refused_or_read():
    """No byte of a header leads to anything but pixels or one of the errors."""
    rng = np.random.default_rng(0)
    for good in (content(), CONTENTS["turned 6"]):
        for _ in range(60):
            changed = bytearray(good)
            changed[rng.integers(min(len(good), 180))] = rng.integers(256)
            try:
                assert decode(bytes(changed)).shape[2] == 3
            except tf.errors.InvalidArgumentError:
                continue
