"""What is measured on captions that were never trained on: pictures, distances, colours."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from skimage.color import rgb2lab

from keras_gans.data.levels import to_levels
from keras_gans.metrics.features import extract, eyes_extractor, metric_name
from keras_gans.metrics.frechet import frechet_distance, kid
from keras_gans.metrics.manifold import WIDER, manifold_figures
from keras_gans.text2image.synthetic import CENTRES, PETALS, places

SHUFFLES = 200  # of the captions, for chance


def traced_drawing(network: keras.Model, last: bool = False) -> Callable:
    """A tf.function from word vectors (N, W, D) and mask (N, W) to pictures.

    It is traced once, for batches of all sizes.

    Args:
        network: from `build_text_to_image`.
        last: whether only the picture of the last word is wanted.

    Returns:
        uint8 (N, W, S, S, 3), or (N, S, S, 3) of the last words.
    """
    vectors, mask = (tf.TensorSpec(each.shape, each.dtype) for each in network.inputs)

    @tf.function(input_signature=[vectors, mask], autograph=False)
    def drawing(vectors, mask):
        pictures = network([vectors, mask], training=False)
        return to_levels(pictures[:, -1] if last else pictures)

    return drawing


def draw(
    network: keras.Model, table: np.ndarray, ids: np.ndarray, batch_size: int = 32
) -> np.ndarray:
    """Draws a picture for every word of sentences.

    Args:
        network: from `build_text_to_image`.
        table: word vectors, float32 (V, D).
        ids: sentences, int (N, W), padding 0 in front.
        batch_size: sentences at once; bounds the network's memory.

    Returns:
        uint8 (N, W, S, S, 3); what stands in the places of padding has no meaning.
    """
    return _batched(traced_drawing(network), _sentences(table), ids, batch_size)


def draw_last(
    network: keras.Model, table: np.ndarray, ids: np.ndarray, batch_size: int = 32
) -> np.ndarray:
    """As `draw`, but the picture of the last word alone: uint8 (N, S, S, 3)."""
    return _batched(traced_drawing(network, last=True), _sentences(table), ids, batch_size)


def draw_vectors(
    generator: keras.Model, vectors: np.ndarray, batch_size: int = 200
) -> np.ndarray:
    """Draws a picture for each vector, with a network without sentences (DCGAN, GNN).

    Args:
        generator: from `build_generator`.
        vectors: float32 (N, D): of words, of whole sentences, or noise.
        batch_size: vectors at once; bounds the memory.

    Returns:
        uint8 (N, S, S, 3).
    """

    @tf.function(
        input_signature=[tf.TensorSpec(generator.input_shape, tf.float32)], autograph=False
    )
    def drawing(vectors):
        return to_levels(generator(vectors, training=False))

    return _batched(drawing, lambda part: (part,), vectors, batch_size)


def _sentences(table):
    return lambda ids: (table[ids], ids != 0)


def _batched(drawing, inputs, items, batch_size):
    if not len(items):
        raise ValueError("there must be something to draw. Received: nothing")
    pictures = None
    for start in range(0, len(items), batch_size):
        part = drawing(*inputs(items[start : start + batch_size])).numpy()
        if pictures is None:
            pictures = np.empty((len(items), *part.shape[1:]), np.uint8)
        pictures[start : start + batch_size] = part
    return pictures


def distances(
    pictures: np.ndarray,
    owners: np.ndarray,
    images: np.ndarray,
    train_images: np.ndarray,
    seed: int = 0,
) -> dict:
    """How far pictures of captions are from their own images, and from those of others.

    Every caption is compared with its own image and, as a control, with the image of another
    caption: the images are shuffled so that none stays at its place. All distances are root
    mean squares over the values of an image in [-1, 1], means over the captions.

    Args:
        pictures: drawn of M captions, uint8 (M, S, S, 3).
        owners: int (M,), the image of each caption.
        images: uint8 (N, S, S, 3), held-out images, at least two of which have captions.
        train_images: uint8 (K, S, S, 3); their mean, as a picture for every caption, is the
            least that a network without words has to beat.
        seed: of the shuffling.

    Returns:
        dict of floats: `matched` and `shuffled` distance, `ratio` of the two (1 if words do
        not matter, below 1 if they help), `nearer` (percent of the captions whose picture is
        nearer to its own image than to the other one: 50 by chance), `mean_image` (distance of
        the mean training image to the captions' images), `diversity` (distance of a picture
        to that of a caption of another image: 0 after a collapse) and `real_diversity` (the
        same of the images themselves); int `captions` and `images`.

    Raises:
        ValueError: other shapes or types, or captions of fewer than two images.
    """
    pictures, owners = np.asarray(pictures), np.asarray(owners)
    for name, values in (("pictures", pictures), ("images", images)):
        if values.dtype != np.uint8 or values.shape[1:] != pictures.shape[1:]:
            raise ValueError(
                f"`{name}` must be uint8, all of one size. Received: {values.dtype} "
                f"{values.shape}, pictures {pictures.shape}"
            )
    if owners.shape != (len(pictures),):
        raise ValueError(
            f"`owners` must have an image for each of the {len(pictures)} pictures. "
            f"Received: {owners.shape}"
        )
    rows, place = np.unique(owners, return_inverse=True)  # the images that have captions
    others = derangement(len(rows), seed)
    other = rows[others][place]
    matched = _rms(pictures, owners, images)
    shuffled = _rms(pictures, other, images)

    # of each caption, one of the other image
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place)
    first = np.cumsum(counts) - counts
    turn = np.empty_like(place)
    turn[order] = np.arange(len(place)) - np.repeat(first, counts)
    partner = others[place]
    beside = order[first[partner] + turn % counts[partner]]

    mean = mean_image(train_images)
    return {
        "matched": float(matched.mean()),
        "shuffled": float(shuffled.mean()),
        "ratio": float(matched.mean() / shuffled.mean()),
        "nearer": 100 * float(np.mean((matched < shuffled) + 0.5 * (matched == shuffled))),
        "mean_image": float(_rms(mean[None], owners, images).mean()),
        "diversity": float(_rms(pictures, beside, pictures).mean()),
        "real_diversity": float(_rms(images[rows], rows[others], images).mean()),
        "captions": len(pictures),
        "images": len(rows),
    }


def by_eyes(
    pictures: np.ndarray,
    owners: np.ndarray,
    images: np.ndarray,
    seed: int = 0,
    cache: Path | None = None,
) -> dict[str, float]:
    """How near pictures are to photographs for EfficientNet-Lite0, which has seen neither.

    Args:
        pictures, owners, images, seed: see `distances`.
        cache: folder that keeps the features, see `extract`.

    Returns:
        dict: Frechet distance and KID to the photographs, `precision`, `recall`, `density` and
        `coverage` of them, and `nearer`, as in `distances`, by the features; each name with
        the network's. Empty if the network is not installed.
    """
    extractor = eyes_extractor()
    if extractor is None:
        return {}
    fake, real = (extract(extractor, each, cache) for each in (pictures, images))
    rows, place = np.unique(owners, return_inverse=True)
    other = rows[derangement(len(rows), seed)][place]
    own, apart = (np.linalg.norm(fake - real[each], axis=1) for each in (owners, other))
    shares = {"nearer": 100 * float(np.mean((own < apart) + 0.5 * (own == apart)))}
    if min(len(fake), len(real)) > WIDER:
        shares |= manifold_figures(real, fake)
    return {
        metric_name("frechet", extractor.name): frechet_distance(real, fake),
        metric_name("kid", extractor.name): kid(real, fake, seed=seed)[0],
        **{f"{name}_{extractor.name}": value for name, value in shares.items()},
    }


def derangement(count: int, seed: int) -> np.ndarray:
    """A random order in which nothing stays at its place: int64 (count,), one cycle.

    Raises:
        ValueError: for fewer than two.
    """
    if count < 2:
        raise ValueError(f"there must be two images with captions. Received: {count}")
    cycle = np.random.default_rng(seed).permutation(count)
    others = np.empty(count, np.int64)
    others[cycle] = np.roll(cycle, 1)
    return others


def mean_image(images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """Mean of images uint8 (N, S, S, 3), float32 (S, S, 3) in 0 to 255."""
    total = np.zeros(images.shape[1:])
    for start in range(0, len(images), batch_size):
        total += images[start : start + batch_size].sum(axis=0, dtype=np.float64)
    return (total / len(images)).astype(np.float32)


def _rms(pictures, chosen, images, batch_size=200):
    """Distance of each picture (or of one for all) to the image chosen for it, (M,)."""
    results = np.empty(len(chosen))
    for start in range(0, len(chosen), batch_size):
        part = slice(start, start + batch_size)
        own = pictures[part] if len(pictures) > 1 else pictures
        apart = (own.astype(np.float32) - images[chosen[part]]) / 127.5
        results[part] = np.sqrt(np.mean(apart**2, axis=(1, 2, 3), dtype=np.float64))
    return results


def nearest_colours(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which colours a drawn flower has, whatever was asked for.

    The mean colours of the ring where petals are and of the disc where the centre is, see
    `synthetic.places`, and of the palettes the nearest in CIELAB (CIE76).

    Args:
        pictures: uint8 (N, S, S, 3).

    Returns:
        (petals, centres), int64 (N,): which of `synthetic.PETALS` and `synthetic.CENTRES`.
    """
    found = []
    for place, palette in zip(places(pictures.shape[1]), (PETALS, CENTRES), strict=True):
        means = pictures[:, place].mean(axis=1)
        known = rgb2lab(np.array(list(palette.values())) / 255)
        apart = np.linalg.norm(rgb2lab(means / 255)[:, None] - known, axis=2)
        found.append(apart.argmin(axis=1))
    return tuple(found)


def colour_agreement(
    pictures: np.ndarray, petals: np.ndarray, centres: np.ndarray, seed: int = 0
) -> dict:
    """How often drawn flowers have the colours that their captions name.

    Chance is measured: the same pictures with the captions shuffled. It is what a network
    reaches that draws as varied flowers without reading. Beside it stands 1 in the number of
    colours.

    Args:
        pictures: drawn of N captions that name both colours, uint8 (N, S, S, 3).
        petals, centres: int (N,), the colours of the captions, see `nearest_colours`.
        seed: of the shuffling.

    Returns:
        dict: for each of `petals`, `centres` and `both` the percent of the pictures that
        agree, with `_chance` the same after shuffling, and with `_uniform` the percent of
        guessing among all colours; `captions`.

    Raises:
        ValueError: without pictures, or if there are not as many colours.
    """
    if not len(pictures) or not len(pictures) == len(petals) == len(centres):
        raise ValueError(
            "there must be pictures, and colours for each. Received: "
            f"{len(pictures)} pictures, {len(petals)} petals, {len(centres)} centres"
        )
    found = nearest_colours(pictures)
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(pictures)) for _ in range(SHUFFLES)]
    asked = np.asarray(petals), np.asarray(centres)
    agreed = _agreement(found, asked)
    chance = np.mean([_agreement(found, [each[o] for each in asked]) for o in orders], axis=0)
    sizes = len(PETALS), len(CENTRES), len(PETALS) * len(CENTRES)
    figures = {}
    for name, right, luck, size in zip(("petals", "centres", "both"), agreed, chance, sizes):
        figures |= {
            name: float(right), f"{name}_chance": float(luck), f"{name}_uniform": 100 / size
        }  # fmt: skip
    return figures | {"captions": len(pictures)}


def _agreement(found, asked):
    """Percent of right petals, centres, and both."""
    right = [one == other for one, other in zip(found, asked, strict=True)]
    return [100 * np.mean(each) for each in (*right, right[0] & right[1])]
