import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import SelfAttention, SpectralConv2D, update_spectral_norms
from keras_gans.layers.spectral_norm import SpectralNorm
from keras_gans.losses import gradient_penalty
from keras_gans.okdgan.networks import build_critic, build_generator
from keras_gans.training.precision import computing_in

IMAGES = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 3)).astype("float32")


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def trainable(network):
    return sum(int(np.prod(v.shape)) for v in network.trainable_variables)


def attended(network):
    return [
        layer.output.shape[1] for layer in network.layers if isinstance(layer, SelfAttention)
    ]


def test_sizes_of_the_paper():
    generator, critic = build_generator(), build_critic()
    assert generator.input_shape == (None, 128)
    assert generator.output_shape == (None, 64, 64, 3)
    assert (critic.input_shape, critic.output_shape) == ((None, 64, 64, 3), (None, 1))
    assert attended(generator) == attended(critic) == [32]
    assert (trainable(generator), trainable(critic)) == (3_811_204, 2_769_858)


@pytest.mark.parametrize("size, channels", [(16, 1), (32, 3)])
def test_other_sizes(size, channels):
    generator = build_generator(size, channels, width=2, latent=5)
    critic = build_critic(size, channels, width=2)
    images = generator(np.random.default_rng(1).normal(size=(4, 5)).astype("float32"))
    assert images.shape == (4, size, size, channels)
    assert np.max(np.abs(images)) <= 1 and np.std(images) > 0
    assert critic(images).shape == (4, 1)
    assert attended(generator) == attended(critic) == [size // 2]


def test_classes():
    generator, critic = (
        build(16, width=2, classes=4) for build in (build_generator, build_critic)
    )
    z = np.random.default_rng(1).normal(size=(1, 128)).astype("float32").repeat(4, axis=0)
    images = np.array(generator([z, np.arange(4)]))
    distances = np.abs(images[:, None] - images).max(axis=(2, 3, 4))
    np.testing.assert_array_equal(distances > 0, ~np.eye(4, dtype=bool))
    scores, logits = critic(images)
    assert (scores.shape, logits.shape) == ((4, 1), (4, 4))


def test_sides_with_attention():
    for build in (build_generator, build_critic):
        assert attended(build(32, width=2, attention=())) == []
        assert sorted(attended(build(32, width=2, attention=(8, 16)))) == [8, 16]
        for bad in ((32,), (4,), (12,)):
            with pytest.raises(ValueError, match=r"\[16, 8\]"):
                build(32, width=2, attention=bad)


def test_attention_computes_in_float32_in_any_precision():
    with computing_in("bfloat16"):
        networks = build_generator(16, width=4), build_critic(16, width=4)
    for network in networks:
        (attention,) = (each for each in network.layers if isinstance(each, SelfAttention))
        within = {layer.compute_dtype for layer in (attention, *attention.layers)}
        assert within == {"float32"}
        assert "bfloat16" in {layer.compute_dtype for layer in network.layers}


@pytest.mark.parametrize("size", [0, 8, 24, 100])
def test_bad_sizes(size):
    for build in (build_generator, build_critic):
        with pytest.raises(ValueError, match=f"image_size={size}"):
            build(size)


def test_every_kernel_but_the_last_is_divided_by_its_largest_singular_value():
    for network in (build_generator(16, width=2, latent=5), build_critic(16, width=2)):
        update_spectral_norms(network, 300)
        normalized = []
        for layer in network._flatten_layers():
            if isinstance(layer, SpectralNorm):
                kernel = np.moveaxis(np.array(layer.kernel), layer.output_axis, -1)
                matrix = kernel.reshape(-1, kernel.shape[-1])
                largest = np.linalg.svd(matrix, compute_uv=False)[0]
                assert largest == pytest.approx(1, rel=1e-3)
                normalized.append(layer._kernel.path)
        kernels = [v.path for v in network.trainable_variables if v.path.endswith("kernel")]
        assert len(normalized) == len(kernels) - 1 == 5


def test_a_critic_without_spectral_normalisation():
    plain, normal = build_critic(16, width=2, spectral=False), build_critic(16, width=2)
    assert [v.shape for v in plain.trainable_variables] == [
        v.shape for v in normal.trainable_variables
    ]
    convolutions = [part for part in plain.layers if "conv" in part.name]
    assert len(convolutions) == 2
    assert not any(isinstance(part, SpectralNorm) for part in convolutions)


def test_bad_latent():
    with pytest.raises(ValueError, match="at least 1. Received: latent=0$"):
        build_generator(16, width=2, latent=0, classes=2)


def test_a_critic_judges_every_image_by_itself():
    critic = build_critic(16, width=2)
    together = critic(IMAGES, training=True)
    alone = [critic(IMAGES[i : i + 1], training=True)[0] for i in range(3)]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_gradient_of_the_penalty_equals_finite_differences():
    # smooth and in float64; LeakyReLU makes the penalty jump where a kink passes an image
    attention = SelfAttention(dtype="float64")
    critic = keras.Sequential(
        [
            SpectralConv2D(8, 4, strides=4, activation="tanh", dtype="float64"),
            attention,
            keras.layers.Flatten(dtype="float64"),
            keras.layers.Dense(1, dtype="float64"),
        ]
    )
    real, generated = np.float64(IMAGES), np.float64(-IMAGES[::-1])
    critic(real)
    attention.gamma.assign(0.5)
    epsilon = np.float64([0.2, 0.5, 0.9]).reshape(3, 1, 1, 1)
    variables = critic.trainable_variables
    with tf.GradientTape() as tape:
        penalty = gradient_penalty(critic, real, generated, epsilon)
    gradients = tape.gradient(penalty, [v.value for v in variables])

    without = [v.path.split("/")[-1] for v, g in zip(variables, gradients) if g is None]
    assert without == ["bias"]  # of the last layer: no slope depends on it
    rng = np.random.default_rng(1)
    for variable, gradient in zip(variables, gradients):
        start, direction = variable.numpy(), rng.normal(size=variable.shape)
        sides = []
        for step in (1e-6, -1e-6):
            variable.assign(start + step * direction)
            sides.append(float(gradient_penalty(critic, real, generated, epsilon)))
        variable.assign(start)
        expected = 0 if gradient is None else np.sum(gradient * direction)
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(expected, rel=1e-5, abs=1e-8)
