"""From patches to an image's light (section 3, figure 4): local map, median, correction.

`estimate` is the one implementation: evaluation runs it, and every exported file holds it.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gans.dscnn.lite import FLOOR, MIN_LIT

VIEWS = 8  # mirrored and turned, of a patch
PATCHES_AT_ONCE = 512  # of several images; one alone always goes in one batch


def estimate(
    network: keras.Model, images: tf.Tensor, turned: bool = False
) -> dict[str, tf.Tensor]:
    """Estimates the illuminants of linear images and removes them.

    The non-overlapping patches of all images go through the network in one batch; what is
    left over at the right and the bottom is not used. Every patch gives a unit vector, and
    the median of these, channel by channel and brought back to unit norm, is the image's
    illuminant. A patch of which less than half (`MIN_LIT`) is lit, in any channel, has no
    vote, unless the image has no better one. An image without colour, R = G = B, has a grey
    illuminant: it stays as it is. (The paper says "the median of the map"; per
    channel, the vote and the floor for components, 0.01, are our reading.)

    Runs eagerly and in graphs, for any number and size of images; exports to SavedModel
    and, by built-in operations alone, to TFLite.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        images: float32 (N, H, W, 3), linear camera RGB in [0, 1], H and W at least S.
        turned: whether the vote of a patch is the mean of its `VIEWS` mirrored and turned
            views. Then the estimate of a picture of one patch does not depend on how the
            camera was held.

    Returns:
        dict of float32 tensors:

        - `illuminant`: (N, 3), unit norm.
        - `local_map`: (N, H // S, W // S, 3), unit norm: the estimate of each patch, also
          of those without a vote.
        - `spread`: (N, H // S, W // S): mean distance of the unit vectors of a patch's
          views from their mean, about an angle in radians; 0 if not `turned`.
        - `corrected`: (N, H, W, 3) = I / L (eq. 1), L scaled to 1 in green, so that green
          keeps its value; clipped to [0, 1].

    Raises:
        tf.errors.InvalidArgumentError: if the images are smaller than a patch.
    """
    size = network.input_shape[1]
    shape = tf.shape(images)
    rows, columns = shape[1] // size, shape[2] // size
    smaller = f"images must be at least {size}x{size} pixels"
    tf.debugging.assert_greater_equal(tf.minimum(shape[1], shape[2]), size, smaller)

    patches = images[:, : rows * size, : columns * size]
    # of rank 4 at most, as mobile GPUs want it
    patches = tf.reshape(patches, [-1, size, columns, size * 3])
    patches = tf.transpose(patches, [0, 2, 1, 3])
    patches = tf.reshape(patches, [-1, size, size, 3])
    vote, spread = votes_of(network, patches, turned)
    lit = tf.cast(tf.reduce_max(patches, axis=3) > 0, tf.float32)
    lit = tf.reduce_mean(lit, axis=[1, 2]) >= MIN_LIT

    count = rows * columns
    illuminant = masked_median(tf.reshape(vote, [-1, count, 3]), tf.reshape(lit, [-1, count]))
    illuminant = unit_lights(grey_for_grey(images, illuminant))
    return {
        "illuminant": illuminant,
        "local_map": tf.reshape(vote, [-1, rows, columns, 3]),
        "spread": tf.reshape(spread, [-1, rows, columns]),
        "corrected": correct(images, illuminant),
    }


def votes_of(
    network: keras.Model, patches: tf.Tensor, turned: bool
) -> tuple[tf.Tensor, tf.Tensor]:
    """The lights of patches (P, S, S, 3), (P, 3) of unit norm, and their `spread`, (P,)."""
    views = VIEWS if turned else 1
    votes = network(all_views(patches) if turned else patches, training=False)
    votes = tf.reshape(unit_lights(votes), [views, -1, 3])
    vote = unit_lights(tf.reduce_mean(votes, axis=0))
    return vote, tf.reduce_mean(tf.norm(votes - vote, axis=2), axis=0)


def grey_for_grey(images: tf.Tensor, illuminants: tf.Tensor) -> tf.Tensor:
    """Lights (N, 3), those of images (N, H, W, 3) that are lit but have no colour (1, 1, 1)."""
    brightest = tf.reduce_max(images, axis=3)
    apart = tf.reduce_max(brightest - tf.reduce_min(images, axis=3), axis=[1, 2])
    grey = (apart <= 0) & (tf.reduce_max(brightest, axis=[1, 2]) > 0)
    return tf.where(grey[:, None], 1.0, illuminants)


def all_views(patches: tf.Tensor) -> tf.Tensor:
    """Patches (P, S, S, C) mirrored and turned: (8 P, S, S, C), the first P as they are."""
    views = tf.concat([patches, patches[:, ::-1]], axis=0)
    views = tf.concat([views, views[:, :, ::-1]], axis=0)
    return tf.concat([views, tf.transpose(views, [0, 2, 1, 3])], axis=0)


def unit_lights(directions: tf.Tensor) -> tf.Tensor:
    """Brings directions (..., 3) to unit norm, none of the components below about 0.01.

    Only what no light can be is changed: (0, 0, 0) becomes grey.
    """
    directions = tf.math.l2_normalize(directions, axis=-1)
    return tf.math.l2_normalize(tf.maximum(directions, FLOOR), axis=-1)


def masked_median(votes: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Median of the chosen vectors, channel by channel.

    Args:
        votes: float32 (N, P, C), each at most 1.
        mask: bool (N, P), which of the P have a vote; where none has, all have.

    Returns:
        float32 (N, C); of an even number of votes, the mean of the middle two.
    """
    mask = mask | ~tf.reduce_any(mask, axis=1, keepdims=True)
    last = tf.constant(2.0)  # sorts behind every vote, and unlike infinity calibrates
    ordered = tf.where(mask[:, None], tf.transpose(votes, [0, 2, 1]), last)
    ordered = tf.sort(ordered, axis=2)
    count = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1, keepdims=True)
    position = tf.range(tf.shape(votes)[1])[None]
    middle = (position == (count - 1) // 2), (position == count // 2)
    weights = sum(tf.cast(chosen, tf.float32) for chosen in middle) / 2
    return tf.reduce_sum(ordered * weights[:, None], axis=2)


def correct(images: tf.Tensor, illuminants: tf.Tensor) -> tf.Tensor:
    """W = I / L (eq. 1), L scaled to 1 in green; clipped to [0, 1].

    Args:
        images: float32 (N, H, W, 3), linear RGB.
        illuminants: float32 (N, 3), all components positive.

    Returns:
        float32 (N, H, W, 3).
    """
    return tf.clip_by_value(images * gains_of(illuminants)[:, None, None], 0.0, 1.0)


def gains_of(illuminants: tf.Tensor) -> tf.Tensor:
    """What undoes lights (N, 3), green as it is: (N, 3)."""
    return illuminants[:, 1:2] / illuminants


def traced_estimate(network: keras.Model, turned: bool = False) -> Callable:
    """`estimate` of one network as a graph, traced once for images of all sizes.

    Returns:
        tf.function from images (N, H, W, 3) to the dict of `estimate`, without `corrected`.
    """

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32)])
    def run(images):
        result = estimate(network, images, turned)
        return {name: result[name] for name in ("illuminant", "local_map", "spread")}

    return run


def estimate_images(
    network: keras.Model, images: Sequence[np.ndarray], turned: bool = False
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Estimates the illuminants of NumPy images of any sizes.

    Neighbours of equal size go together, up to `PATCHES_AT_ONCE` patches; the graph is
    traced once.

    Args:
        network: model from patches (N, S, S, 3) to directions (N, 3).
        images: sequence of float32 (H, W, 3), linear camera RGB in [0, 1], H and W at least
            S. Read one after the other, so it may load a file at every access.
        turned: see `estimate`.

    Returns:
        illuminants, float32 (N, 3) of unit norm, and a list of N local maps, float32
        (H // S, W // S, 3).

    Raises:
        ValueError: if an image is smaller than a patch.
    """
    size = network.input_shape[1]

    run = traced_estimate(network, turned)
    illuminants, maps = [np.zeros((0, 3), np.float32)], []
    for batch in _equal_sized(images, size):
        result = run(np.stack(batch))
        illuminants.append(result["illuminant"].numpy())
        maps.extend(result["local_map"].numpy())
    return np.concatenate(illuminants), maps


def _equal_sized(images, size):
    batch = []
    for index in range(len(images)):
        image = np.asarray(images[index], np.float32)
        height, width = image.shape[:2]
        if min(height, width) < size:
            raise ValueError(
                f"images must be at least {size}x{size}. Received: {height}x{width}"
            )
        patches = (height // size) * (width // size)
        full = (len(batch) + 1) * patches > PATCHES_AT_ONCE
        if batch and (full or batch[0].shape != image.shape):
            yield batch
            batch = []
        batch.append(image)
    if batch:
        yield batch
