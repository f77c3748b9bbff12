"""Batches of pictures on disk: the bits of those in memory, and no more reading than needed."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gans.data.on_disk import OnDisk
from keras_gans.data.pipeline import reading, step_dataset
from keras_gans.frgan.data import semi_supervised_batches
from keras_gans.frgan.model import FRGAN
from keras_gans.okdgan.data import crop_batches
from keras_gans.text2image.data import Sentences, sentence_batches, vector_batches
from keras_gans.training.distribute import data_digest
from keras_gans.training.model import StepModel

COUNT, ROWS = 30, 8


class Counted(OnDisk):
    """Knows which pictures were read."""

    def __getitem__(self, chosen):
        self.read += np.ravel(self._places[chosen]).tolist()
        return super().__getitem__(chosen)


def pictures():
    values = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3), np.uint8)
    kept = Counted(values.shape)
    kept[:], kept.read = values, []
    return values, kept


def frgan(images):
    labelled = np.arange(0, COUNT, 3)
    return semi_supervised_batches(images, labelled, labelled % 4, ROWS, 1)


def okdgan(images):
    return crop_batches(images, ROWS, 1, np.arange(COUNT) % 4, mirror=True)


def sentences(images):
    ids = np.random.default_rng(1).integers(1, 9, (2 * COUNT, 4), np.int32)
    table = np.random.default_rng(2).normal(size=(9, 5)).astype(np.float32)
    return Sentences(images, ids, np.arange(2 * COUNT) // 2, table)


def text2image(images):
    return sentence_batches(sentences(images), ROWS, 1)


def vectors(images):
    return vector_batches(sentences(images), ROWS, 1)


each_room = pytest.mark.parametrize("batches", [frgan, okdgan, text2image, vectors])


def assert_equal(ours, theirs):
    tf.nest.map_structure(np.testing.assert_array_equal, ours, theirs)


@each_room
def test_the_same_bits(batches):
    values, kept = pictures()
    in_memory, on_disk = (step_dataset(batches(each), 5, 8) for each in (values, kept))
    assert in_memory.element_spec == on_disk.element_spec
    for ours, theirs in zip(on_disk, in_memory, strict=True):
        assert_equal(ours, theirs)


def test_workers_may_differ_in_where_their_pictures_are():
    values, kept = pictures()
    known = data_digest(okdgan(values))
    assert data_digest(okdgan(kept)) == known
    kept[7] = values[7] ^ 1
    assert data_digest(okdgan(kept)) != known


@each_room
def test_each_worker_reads_its_share(batches):
    """And all that its replicas, one or two, take of the batch is there."""
    values, kept = pictures()
    batch, whole = batches(kept), batches(values)(tf.constant(3, tf.int64))
    batch(tf.constant(3, tf.int64))
    everything, kept.read[:] = sorted(kept.read), []
    share = FRGAN.share if batches is frgan else StepModel.share
    model = object.__new__(FRGAN)
    read = []
    for worker in range(2):

        def of_worker(step, worker=worker):
            with reading(worker, 2):
                return batch(step)

        [ours] = step_dataset(of_worker, 3, 4)
        assert len(kept.read) == len(everything) / 2
        read += kept.read
        kept.read.clear()
        for number, of in ((worker, 2), (2 * worker, 4), (2 * worker + 1, 4)):
            assert_equal(share(model, ours, number, of), share(model, whole, number, of))
    assert sorted(read) == everything
