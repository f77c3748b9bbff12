import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.okdgan.acgan import ACGAN
from keras_gans.okdgan.networks import build_critic, build_generator

REAL = np.random.default_rng(0).uniform(-1, 1, (6, 16, 16, 1)).astype("float32")
LABELS = np.int64([2, 0, 1, 1, 2, 2])


def brightness(slope=2.0, slopes=(1.0, 0.0, -3.0)):
    """A critic whose score and three logits are multiples of the mean brightness."""
    images = keras.Input((16, 16, 1))
    mean = keras.layers.GlobalAveragePooling2D()(images)
    score, logits = (
        keras.layers.Dense(len(kernel), kernel_initializer=Rows(kernel))(mean)
        for kernel in ([slope], slopes)
    )
    return keras.Model(images, [score, logits])


class Rows(keras.initializers.Initializer):
    def __init__(self, values):
        self.values = values

    def __call__(self, shape, dtype=None):
        return keras.ops.reshape(keras.ops.convert_to_tensor(self.values, dtype), shape)


def small(rate=1e-2, **options):
    keras.utils.set_random_seed(0)
    gan = ACGAN(
        build_generator(16, 1, width=2, latent=5, classes=3, attention=()),
        build_critic(16, 1, width=2, classes=3, attention=()),
        **options,
    )
    gan.compile(*(keras.optimizers.Adam(rate, 0.0, 0.9) for _ in range(2)), run_eagerly=True)
    return gan


def logistic(scores, real):
    return np.mean(np.log1p(np.exp(-scores if real else scores)))


def cross_entropy(logits):
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return -np.mean(np.log(probabilities[np.arange(6), LABELS]))


@pytest.mark.parametrize("weight", [0.0, 1.0, 2.5])
def test_losses_by_hand(weight):
    keras.utils.set_random_seed(0)
    gan = ACGAN(build_generator(16, 1, 2, classes=3), brightness(), class_weight=weight)
    generated = np.linspace(-1, 1, REAL.size).reshape(REAL.shape).astype("float32")
    means, others = (images.mean(axis=(1, 2)) for images in (REAL, generated))
    logits, other_logits = means * [1.0, 0.0, -3.0], others * [1.0, 0.0, -3.0]

    loss, figures = gan.critic_loss((REAL, LABELS), generated)
    class_loss = cross_entropy(logits) + cross_entropy(other_logits)
    expected = logistic(2 * means, True) + logistic(2 * others, False) + weight * class_loss
    assert float(loss) == pytest.approx(expected, rel=1e-4)
    shares = [np.mean(x.argmax(axis=1) == LABELS) for x in (logits, other_logits)]
    assert [float(x) for x in figures] == pytest.approx([class_loss, *shares], rel=1e-4)

    loss = gan.generator_loss((REAL, LABELS), generated)
    expected = logistic(2 * others, True) + weight * cross_entropy(other_logits)
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_losses_with_a_penalty_by_hand():
    gan = ACGAN(build_generator(16, 1, 2, classes=3), brightness(slope=80.0), penalty=10.0)
    generated = np.linspace(-1, 1, REAL.size).reshape(REAL.shape).astype("float32")
    means, others = (images.mean(axis=(1, 2)) for images in (REAL, generated))
    class_loss = sum(cross_entropy(x * [1.0, 0.0, -3.0]) for x in (means, others))
    slope = 80 / 16  # each of the 256 pixels moves the score by 80 / 256

    loss, _ = gan.critic_loss((REAL, LABELS), generated)
    distance = 80 * (means.mean() - others.mean())
    assert float(loss) == pytest.approx(10 * (slope - 1) ** 2 - distance + class_loss, rel=1e-4)
    loss = gan.generator_loss((REAL, LABELS), generated)
    expected = -80 * others.mean() + cross_entropy(others * [1.0, 0.0, -3.0])
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_labels_are_drawn_as_in_the_data():
    z, labels = small().sample_latents((REAL, LABELS))
    assert z.shape == (6, 5)
    np.testing.assert_array_equal(labels, LABELS)


def test_labels_in_a_column():
    found = [small().train_step((REAL, labels)) for labels in (LABELS, LABELS[:, None])]
    assert found[0] == found[1]


def test_a_step_moves_both_networks():
    gan = small()
    before = [v.numpy() for v in gan.trainable_variables]
    figures = gan.train_step((tf.constant(REAL), tf.constant(LABELS)))
    assert list(figures) == [
        "critic_loss", "generator_loss", "class_loss", "real_accuracy", "generated_accuracy",
    ]  # fmt: skip
    assert np.isfinite([float(value) for value in figures.values()]).all()
    still = [
        v.path for v, old in zip(gan.trainable_variables, before) if np.array_equal(v, old)
    ]
    assert not still


@pytest.mark.slow
@pytest.mark.parametrize("penalty", [None, 10.0])
def test_it_learns_to_make_and_to_tell_classes(penalty):
    gan = small(rate=5e-3, penalty=penalty)
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, REAL.shape)
    real = (noise + 0.7 * (LABELS - 1).reshape(6, 1, 1, 1)).astype("float32")
    train = tf.function(gan.train_step)
    for number in range(110):
        figures = train((tf.constant(real), tf.constant(LABELS)))
        if number < 95:
            gan.reset_metrics()
    assert figures["real_accuracy"] > 0.9 and figures["generated_accuracy"] > 0.9
