"""What a model is shown of photos, as graph operations: the numbers of `white-balance`."""

from collections.abc import Callable

import tensorflow as tf

from keras_gans.dscnn.lite import MAP_PATCHES


def estimate_view(
    estimate: Callable,
    images: tf.Tensor,
    patch: int,
    view: str | int,
    scene_estimate: Callable | None = None,
) -> dict[str, tf.Tensor]:
    """Estimates the light of photos as the model was trained to see them. No view enlarges.

    Args:
        estimate: function from images to a dict of `illuminant` and `local_map`, as
            `estimate.traced_estimate` gives it.
        images: float32 (N, H, W, 3), linear RGB in [0, 1], H and W at least `patch`.
        patch: side of a patch in pixels.
        view: "native": the photos as they are. "whole": the illuminant is that of the scene
            averaged into one patch, the map that of the photo reduced to 4 patches on the
            shorter side, or to the whole patches it holds. A number: reduced to so many
            pixels on the shorter side.
        scene_estimate: see `confidence.scene_estimate`; "whole" needs it.

    Returns:
        dict of `illuminant`, float32 (N, 3), and `local_map`, float32 (N, h, w, 3), unit norm;
        of "whole" also what else `scene_estimate` gives.
    """
    if view == "native":
        return estimate(images)
    height, width = tf.unstack(tf.shape(images)[1:3])
    shorter = tf.cast(tf.minimum(height, width), tf.float64)
    sides = [tf.cast(side, tf.float64) for side in (height, width)]
    if view != "whole":
        sides = [tf.cast(tf.round(view / shorter * side), tf.int32) for side in sides]
        smaller = tf.cond(view < shorter, lambda: area_averaged(images, *sides), lambda: images)
        return estimate(smaller)
    unit = tf.maximum(shorter / MAP_PATCHES, patch)  # pixels a patch of the map stands for
    rows, columns = (tf.cast(side / unit, tf.int32) for side in sides)
    photos = area_averaged(images, rows * patch, columns * patch)
    # the patch of the whole scene, whose pixels are blocks of these
    blocks = tf.reshape(photos, [-1, patch, rows, patch, columns, 3])
    scene = tf.reduce_mean(blocks, axis=[2, 4])
    return {**scene_estimate(scene), "local_map": estimate(photos)["local_map"]}


def area_averaged(images: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Reduces images as `keras_gans.data.squares.area_average` does.

    Args:
        images: float32 (N, H, W, C).
        height, width: the new size, int32, at most the old one.

    Returns:
        float32 (N, height, width, C): each pixel is the mean of the area it covers, also in
        parts.
    """
    return _averaged(_averaged(images, height, axis=1), width, axis=2)


def _averaged(images, size, axis):
    """Along one axis; one pixel of each area after the other, for little memory."""
    shape = tf.shape(images)
    scale = shape[axis] / size  # float64
    edges = tf.range(size + 1)
    edges = tf.cast(edges, tf.float64) * scale
    start, end = edges[:-1], edges[1:]
    first = tf.cast(start, tf.int32)

    def add(total, step):
        place = first + step
        left = tf.cast(place, tf.float64)
        weights = tf.maximum(tf.minimum(end, left + 1) - tf.maximum(start, left), 0) / scale
        weights = tf.reshape(tf.cast(weights, tf.float32), [-1, 1, 1] if axis == 1 else [-1, 1])
        pixels = tf.gather(images, tf.minimum(place, shape[axis] - 1), axis=axis)
        return total + weights * pixels

    place = tf.range(4)
    nothing = tf.zeros(tf.where(place == axis, size, shape))
    steps = tf.range((shape[axis] + size - 1) // size + 1)
    return tf.foldl(add, steps, initializer=nothing, parallel_iterations=1)
