"""From captioned images to batches, as functions of the step."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from scipy import sparse

from keras_gans.data.levels import to_float
from keras_gans.data.on_disk import OnDisk
from keras_gans.data.order import endless_order
from keras_gans.data.pipeline import gatherer
from keras_gans.text2image.networks import words_so_far

CONDITIONS = ("word2vec", "sentence", "captions", "noise")


@dataclass(frozen=True, eq=False)
class Sentences:
    """Sentences to train on, with their images.

    Attributes:
        images: uint8 (N, S, S, 3), of the training part alone: real ones are drawn from all.
        ids: int32 (M, W), the words of each sentence; see `Vocabulary.encode`.
        owners: int64 (M,), the image of each sentence.
        table: float32 (V, D), the vectors of the words.

    Raises:
        ValueError: nothing to draw from, ids or owners out of range, a sentence without words.
    """

    images: np.ndarray | OnDisk
    ids: np.ndarray
    owners: np.ndarray
    table: np.ndarray

    def __post_init__(self):
        images, ids, owners, table = self.images, self.ids, self.owners, self.table
        if not len(images) or not len(ids) or len(ids) != len(owners):
            raise ValueError(
                "There must be images and sentences, with an owner each. "
                f"Received: {len(images)}, {len(ids)}, {len(owners)}"
            )
        if np.min(owners) < 0 or np.max(owners) >= len(images):
            raise ValueError(f"owners are 0 to {len(images) - 1}. Received: {np.max(owners)}")
        if np.min(ids) < 0 or np.max(ids) >= len(table):
            raise ValueError(f"ids are 0 to {len(table) - 1}. Received: {np.max(ids)}")
        if not np.any(ids, axis=1).all():
            raise ValueError("a sentence without words")

    def tensors(self) -> tuple:
        """What gives images by their places, see `gatherer`; ids, owners and table."""
        return gatherer(self.images), *map(tf.constant, (self.ids, self.owners, self.table))


def sentence_batches(
    sentences: Sentences,
    batch_size: int,
    seed: int,
    real: str = "random",
    reals: int | None = None,
    texts: bool = False,
) -> Callable:
    """Batches for the whole network (figure 2, algorithm 4.2): sentences and real images.

    Sentences come all in turn, each pass in a new order. The real images that the
    discriminator compares with come all in turn too, in an order of their own.

    Args:
        sentences: M of them.
        batch_size: sentences B in a batch; may be larger than M.
        seed: the draw is a function of it and of the step.
        real: "random", or "matching": the sentence's own image, again and again (with which
            the report's network collapsed).
        reals: real images R for each sentence, by default W - 1: one for each word but the
            last; with `texts` one for each word.
        texts: for a matching-aware discriminator. The real images are then those of sentences
            that come in turn, in an order of their own, and their texts the means of the
            first words of these, up to one drawn at random.

    Returns:
        function of a step's number to ((vectors float32 (B, W, D), mask bool (B, W)), (images
        float32 (B, S, S, 3), reals float32 (B, R, S, S, 3))); images in [-1, 1], the mask false
        where there is no word. With `texts` those of the reals follow them, (B, R, D).

    Raises:
        ValueError: another kind of real images, or "matching" with `texts`.
    """
    if real not in ("random", "matching"):
        raise ValueError(f"`real` must be random or matching. Received: {real!r}")
    if texts and real == "matching":
        raise ValueError("`texts` is for random real images. Received: matching")
    gather, ids, owners, table = sentences.tensors()
    if reals is None:
        reals = ids.shape[1] if texts else max(ids.shape[1] - 1, 1)

    def batch(step):
        drawn = _in_turn(step, [batch_size], len(ids), [seed, 0])
        words, matching = tf.gather(ids, drawn), tf.gather(owners, drawn)
        if texts:
            others = _in_turn(step, [batch_size, reals], len(ids), [seed, 2])
            compared = tf.gather(owners, others)
        elif real == "matching":
            compared = tf.repeat(matching[:, None], reals, axis=1)
        else:
            compared = _in_turn(step, [batch_size, reals], len(sentences.images), [seed, 1])
        shown = to_float(gather(matching)), to_float(gather(compared))
        if texts:
            said = tf.gather(ids, others)
            scores = tf.random.stateless_uniform(tf.shape(said), [seed, step])
            last = tf.argmax(tf.where(said != 0, scores, -1.0), axis=-1)
            so_far = words_so_far(tf.gather(table, said), said != 0)
            shown += (tf.gather(so_far, last, axis=2, batch_dims=2),)
        return (tf.gather(table, words), words != 0), shown

    return batch


def vector_batches(
    sentences: Sentences,
    batch_size: int,
    seed: int,
    condition: str = "word2vec",
    sentence: str = "sum",
) -> Callable:
    """Batches for the report's other models (DCGAN, GNN): vectors, and an image for each.

    Args:
        sentences, batch_size, seed: as of `sentence_batches`.
        condition: what the vector of an image is:
            - "word2vec": one word of a caption of it, drawn at random (sections 1 and 2);
            - "sentence": that of a caption (section 5);
            - "captions": the mean of its captions' (section 4);
            - "noise": uniform noise in [-1, 1], which has nothing to do with it.
            The first two take all captions in turn, the others all images.
        sentence: that of a caption: see `sentence_vectors`.

    Returns:
        function of a step's number to vectors float32 (B, D) and images float32 (B, S, S, 3)
        in [-1, 1].

    Raises:
        ValueError: another condition; for "captions", an image that owns none.
    """
    if condition not in CONDITIONS:
        raise ValueError(f"`condition` must be one of {CONDITIONS}. Received: {condition!r}")
    count, size = len(sentences.images), sentences.table.shape[1]
    means = None
    if condition == "captions":
        parts = sentences.ids, sentences.owners, sentences.table
        means = tf.constant(caption_means(*parts, count, sentence))
    gather, ids, owners, table = sentences.tensors()
    by_caption = condition in ("word2vec", "sentence")

    def batch(step):
        drawn = _in_turn(step, [batch_size], len(ids) if by_caption else count, [seed, 0])
        shown = tf.gather(owners, drawn) if by_caption else drawn
        key = tf.stack([tf.constant(seed, tf.int64), step])
        if condition == "noise":
            vectors = tf.random.stateless_uniform([batch_size, size], key, -1, 1)
        elif condition == "captions":
            vectors = tf.gather(means, shown)
        elif condition == "sentence":
            words = tf.gather(ids, drawn)
            mask = tf.cast(words != 0, tf.float32)[..., None]
            vectors = tf.reduce_sum(tf.gather(table, words) * mask, 1)
            if sentence == "mean":
                vectors /= tf.reduce_sum(mask, 1)
        else:
            words = tf.gather(ids, drawn)
            scores = tf.random.stateless_uniform(tf.shape(words), key)
            chosen = tf.argmax(tf.where(words != 0, scores, -1.0), axis=1)
            vectors = tf.gather(table, tf.gather(words, chosen, axis=1, batch_dims=1))
        return vectors, to_float(gather(shown))

    return batch


def sentence_vectors(ids: np.ndarray, table: np.ndarray, how: str = "sum") -> np.ndarray:
    """A vector for each sentence, padding left out.

    Args:
        ids: int32 (M, W), at least one word in each.
        table: float32 (V, D).
        how: "sum" of the vectors of its words, as in the report, or their "mean".

    Returns:
        float32 (M, D).
    """
    return caption_means(ids, np.arange(len(ids)), table, len(ids), how)


def caption_means(
    ids: np.ndarray, owners: np.ndarray, table: np.ndarray, count: int, how: str = "sum"
) -> np.ndarray:
    """The mean over the captions of each image of their vectors, see `sentence_vectors`.

    Args:
        ids: int32 (M, W), at least one word in each.
        owners: int64 (M,), the image of each sentence.
        table: float32 (V, D).
        count: images N.
        how: "sum" or "mean".

    Returns:
        float32 (N, D).

    Raises:
        ValueError: an image without caption.
    """
    ids, owners = np.asarray(ids), np.asarray(owners)
    captions = np.bincount(owners, minlength=count)
    if len(captions) > count or not captions.all():
        raise ValueError(f"each of the {count} images needs a caption")
    words = np.count_nonzero(ids, axis=1) if how == "mean" else np.ones(len(ids), int)
    sentences, slots = np.nonzero(ids)
    weights = 1 / (words[sentences] * captions[owners[sentences]])
    places = owners[sentences], ids[sentences, slots]
    mixture = sparse.coo_array((weights.astype(np.float32), places), (count, len(table)))
    return mixture.tocsr() @ np.asarray(table, np.float32)


def _in_turn(step, shape, count, seed):
    """Which items step `step` draws: all in turn, each pass in a new order."""
    each = int(np.prod(shape))
    positions = step * each + tf.range(each, dtype=tf.int64)
    return tf.reshape(endless_order(positions, count, seed), shape)
