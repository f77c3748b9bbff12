import keras
import numpy as np
import pytest

from keras_gans.frgan.networks import build_discriminator, build_generator
from keras_gans.layers import (
    SqueezeExcite,
    WeightNormConv2D,
    WeightNormConv2DTranspose,
    WeightNormDense,
    initialize_from_data,
)


@pytest.fixture(autouse=True)
def seed():
    keras.utils.set_random_seed(0)


def random(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def rows(network):
    """What table 1 lists: a layer's kind and the shape of what it gives, but no activations."""
    left_out = keras.layers.InputLayer, keras.layers.ReLU, keras.layers.LeakyReLU
    return [
        (type(layer).__name__, *layer.output.shape[1:])
        for layer in network.layers
        if not isinstance(layer, left_out)
    ]


def kernels(network):
    return [layer.kernel.numpy() for layer in network.layers if hasattr(layer, "kernel")]


def test_the_papers_generator():
    generator = build_generator()
    assert generator.count_params() == 4_959_110
    assert rows(generator) == [
        ("Dense", 8192),
        ("FusedBatchNormalization", 8192),
        ("Reshape", 4, 4, 512),
        ("Conv2DTranspose", 8, 8, 256),
        ("FusedBatchNormalization", 8, 8, 256),
        ("Conv2DTranspose", 16, 16, 128),
        ("FusedBatchNormalization", 16, 16, 128),
        ("WeightNormConv2DTranspose", 32, 32, 3),
    ]
    assert generator.input_shape == (None, 100)
    deconvolutions = [layer for layer in generator.layers if hasattr(layer, "kernel_size")]
    assert [(layer.kernel_size, layer.strides) for layer in deconvolutions] == [
        ((5, 5), (2, 2))
    ] * 3
    assert deconvolutions[-1].activation is keras.activations.tanh
    # beside the weights two moving averages a normalised channel
    moving = [weight.shape[0] for weight in generator.non_trainable_weights]
    assert sum(moving) == 2 * (8192 + 256 + 128)


def test_the_papers_discriminator():
    discriminator = build_discriminator()
    assert discriminator.count_params() == 793_684
    assert all(weight.trainable for weight in discriminator.weights)
    assert rows(discriminator) == [
        ("GaussianNoise", 32, 32, 3),
        ("Dropout", 32, 32, 3),
        *[("WeightNormConv2D", 32, 32, 64)] * 3,
        ("MaxPooling2D", 16, 16, 64),
        ("Dropout", 16, 16, 64),
        *[("WeightNormConv2D", 16, 16, 128)] * 3,
        ("MaxPooling2D", 8, 8, 128),
        ("SqueezeExcite", 8, 8, 128),  # of the pooled features U (section 1)
        ("Dropout", 8, 8, 128),
        ("WeightNormConv2D", 8, 8, 256),
        *[("WeightNormConv2D", 8, 8, 128)] * 2,
        ("GlobalAveragePooling2D", 128),
        ("WeightNormDense", 10),
    ]
    sizes = [layer.kernel_size[0] for layer in discriminator.layers if "conv2d" in layer.name]
    assert sizes == [3] * 7 + [1] * 2  # the last two are the table's "NIN"
    assert discriminator.input_shape == (None, 32, 32, 3)
    leaky = [la for la in discriminator.layers if isinstance(la, keras.layers.LeakyReLU)]
    assert [layer.negative_slope for layer in leaky] == [0.2] * 9
    dropouts = [la for la in discriminator.layers if isinstance(la, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.2] * 3


def test_sizes_are_arguments():
    generator = build_generator(image_size=16, channels=1, width=3, latent=5)
    assert generator.input_shape == (None, 5)
    assert [row[1:] for row in rows(generator)] == [
        (48,), (48,), (2, 2, 12), (4, 4, 6), (4, 4, 6), (8, 8, 3), (8, 8, 3), (16, 16, 1)
    ]  # fmt: skip
    discriminator = build_discriminator(24, 1, 3, width=4, dropout=0.5, noise=0.3)
    assert discriminator.input_shape == (None, 24, 24, 1)
    shapes = [row[1:] for row in rows(discriminator) if "WeightNorm" in row[0]]
    assert shapes == [
        *[(24, 24, 4)] * 3, *[(12, 12, 8)] * 3, (6, 6, 16), *[(6, 6, 8)] * 2, (3,)
    ]  # fmt: skip
    dropouts = [la for la in discriminator.layers if isinstance(la, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.5] * 3
    assert discriminator.layers[1].stddev == 0.3


def test_without_recalibration():
    plain, ours = (build_discriminator(width=16, se=se) for se in (False, True))
    assert not any(isinstance(layer, SqueezeExcite) for layer in plain.layers)
    # 32 channels reduced to 2 and back
    assert ours.count_params() - plain.count_params() == 2 * 32 * 2
    assert [row for row in rows(ours) if row[0] != "SqueezeExcite"] == rows(plain)


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
@pytest.mark.parametrize("image_size", [0, 4, 20, 31, -8])
def test_bad_image_size(build, image_size):
    with pytest.raises(ValueError, match=f"multiple of 8. Received: image_size={image_size}$"):
        build(image_size)


@pytest.mark.parametrize("image_size", [8, 32, 48])
def test_images_and_logits(image_size):
    generator = build_generator(image_size, width=4, latent=6)
    images = generator(random(3, 6)).numpy()
    assert images.shape == (3, image_size, image_size, 3)
    for weight in generator.trainable_weights:
        weight.assign(30 * random(*weight.shape))
    images = generator(random(3, 6)).numpy()
    assert 0.9 < np.abs(images).max() <= 1 and images.min() < -0.5

    discriminator = build_discriminator(image_size, classes=7, width=4)
    logits = discriminator(images)
    assert logits.shape == (3, 7)
    np.testing.assert_allclose(discriminator(images[1:2])[0], logits[1], atol=1e-5)
    # in training, dropout and noise make each pass another
    passes = [discriminator(images, training=True).numpy() for _ in range(2)]
    assert np.abs(passes[0] - passes[1]).max() > 1e-3


def test_bad_latent():
    with pytest.raises(ValueError, match="at least 1. Received: latent=0$"):
        build_generator(8, latent=0)


def test_features_are_what_the_last_layer_sees():
    discriminator = build_discriminator(16, width=6)
    layer = discriminator.get_layer("features")
    assert layer.output.shape == (None, 12)
    images = random(4, 16, 16, 3)
    features = keras.Model(discriminator.input, layer.output)(images)
    logits = discriminator.get_layer("logits")(features)
    np.testing.assert_allclose(logits, discriminator(images), atol=1e-6)
    assert np.ptp(features, axis=0).max() > 0


@pytest.mark.parametrize(
    "build, batch",
    [
        (lambda: build_discriminator(16, width=8), random(40, 16, 16, 3)),
        (lambda: build_generator(16, width=8, latent=6), random(40, 6)),
    ],
)
def test_initialized_from_data_every_channel_has_variance_1(build, batch):
    network = build()
    kinds = WeightNormConv2D, WeightNormConv2DTranspose, WeightNormDense
    normed = [layer for layer in network.layers if isinstance(layer, kinds)]
    for layer in network.layers:
        if isinstance(layer, (keras.layers.Dropout, keras.layers.GaussianNoise)):
            layer.rate = layer.stddev = 0.0  # so that a second pass is the same

    initialize_from_data(network, batch)

    assert len(normed) == (10 if "discriminator" in network.name else 1)
    activations = [layer.activation for layer in normed]
    for layer in normed:
        layer.activation = None
    outputs = keras.Model(network.input, [layer.output for layer in normed])
    found = outputs(batch, training=True)
    for values in found if isinstance(found, list) else [found]:
        axes = tuple(range(len(values.shape) - 1))
        np.testing.assert_allclose(np.mean(values, axis=axes), 0, atol=1e-4)
        np.testing.assert_allclose(np.var(values, axis=axes), 1, rtol=1e-3)
    for layer, activation in zip(normed, activations, strict=True):
        layer.activation = activation


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_xavier_and_no_two_layers_or_networks_start_alike(build):
    first, second = (kernels(build(width=16)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert not np.array_equal(a, b)
        if a.size > 1000:
            sides = np.prod(a.shape[:-2]) * np.array(a.shape[-2:])  # what comes in, goes out
            assert a.std() == pytest.approx(np.sqrt(2 / sides.sum()), rel=0.1)
    for number, a in enumerate(first):
        assert not any(a.shape == b.shape and np.array_equal(a, b) for b in first[:number])


def test_through_a_keras_file(tmp_path):
    discriminator = build_discriminator(16, width=4)
    discriminator.save(tmp_path / "discriminator.keras")
    again = keras.models.load_model(tmp_path / "discriminator.keras")
    images = random(2, 16, 16, 3)
    np.testing.assert_array_equal(again(images), discriminator(images))
