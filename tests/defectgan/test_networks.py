import keras
import numpy as np
import pytest

from keras_gans.defectgan.networks import (
    build_discriminator,
    build_generator,
    build_guided_generator,
    build_local_discriminator,
)


def random_images(*shape):
    return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


def shaken(network, scale):
    """The network with random weights, far from its start."""
    for weight in network.weights:
        weight.assign(scale * random_images(*weight.shape))
    return network


def convolutions(network):
    """(kernel, strides, filters) of each, from the input on."""
    return [
        (layer.kernel_size[0], layer.strides[0], layer.filters)
        for layer in network.layers
        if hasattr(layer, "kernel_size")
    ]


def kernels(network):
    return [layer.kernel.numpy() for layer in network.layers if hasattr(layer, "kernel")]


@pytest.mark.parametrize("residual", [False, True])
def test_the_papers_generator(residual):
    generator = build_generator(residual=residual)
    assert generator.count_params() == 11_378_179
    assert all(weight.trainable for weight in generator.weights)
    assert convolutions(generator) == [
        (7, 1, 64), (3, 2, 128), (3, 2, 256), *[(3, 1, 256)] * 18, (3, 2, 128), (3, 2, 64),
        (7, 1, 3),
    ]  # fmt: skip


def test_the_papers_discriminator():
    discriminator = build_discriminator()
    assert discriminator.count_params() == 2_764_737
    table = convolutions(discriminator)
    assert table == [(4, 2, 64), (4, 2, 128), (4, 2, 256), (4, 1, 512), (4, 1, 1)]
    pixels = 1
    for kernel, strides, _ in reversed(table):
        pixels = (pixels - 1) * strides + kernel
    assert pixels == 70  # of a patch


def test_sizes_are_arguments():
    generator = build_generator(channels=1, width=2, blocks=3, image_size=20)
    assert generator.input_shape == generator.output_shape == (None, 20, 20, 1)
    assert convolutions(generator) == [
        (7, 1, 2), (3, 2, 4), (3, 2, 8), *[(3, 1, 8)] * 6, (3, 2, 4), (3, 2, 2), (7, 1, 1)
    ]  # fmt: skip
    discriminator = build_discriminator(channels=1, width=2, image_size=48)
    assert discriminator.output_shape == (None, 4, 4, 1)
    assert [filters for *_, filters in convolutions(discriminator)] == [2, 4, 8, 16, 1]


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("height, width", [(16, 16), (20, 36)])
def test_generator_gives_images(residual, height, width):
    generator = shaken(build_generator(3, 2, 1, residual=residual), 50)
    images = random_images(2, height, width, 3)
    cleaned = generator(images).numpy()
    assert cleaned.shape == images.shape
    assert np.abs(cleaned).max() <= 1
    assert np.abs(cleaned - images).max() > 0.5


@pytest.mark.parametrize("residual", [False, True])
def test_an_image_is_translated_on_its_own_and_the_same_in_training(residual):
    generator = shaken(build_generator(3, 4, 2, residual=residual), 0.1)
    images = random_images(3, 16, 16, 3)
    together = generator(images)
    np.testing.assert_allclose(generator(images[1:2])[0], together[1], atol=1e-5)
    np.testing.assert_allclose(generator(images, training=True), together, atol=1e-4)


@pytest.mark.parametrize("size, patches", [(32, 2), (70, 6), (256, 30)])
def test_discriminator_gives_a_logit_a_patch(size, patches):
    discriminator = build_discriminator(1, 2)
    images = random_images(2, size, size, 1)
    logits = discriminator(images)
    assert logits.shape == (2, patches, patches, 1)
    np.testing.assert_allclose(discriminator(images[:1])[0], logits[0], atol=1e-5)
    np.testing.assert_allclose(discriminator(images, training=True), logits, atol=1e-5)


@pytest.mark.parametrize("options", [{"image_size": 30}, {"image_size": 0}, {"blocks": -1}])
def test_arguments_out_of_range(options):
    with pytest.raises(ValueError, match="must be .* Received: "):
        build_generator(1, 2, **options)


def test_local_discriminator_sees_16_pixels():
    discriminator = build_local_discriminator(1, 4)
    images = random_images(2, 40, 50, 1)
    logits = discriminator(images).numpy()
    assert logits.shape == (2, 20, 25, 1)
    changed = images.copy()
    changed[0, 20, 20] += 1
    rows, columns = np.nonzero((discriminator(changed).numpy() != logits)[0, ..., 0])
    for found in (rows, columns):  # at most 8 logits, 2 pixels apart
        assert 6 <= np.ptp(found) + 1 <= 8
    np.testing.assert_allclose(discriminator(images[1:])[0], logits[1], atol=1e-5)


@pytest.mark.parametrize("scales", [1, 2])
def test_a_guided_generator_changes_what_stands_out(scales):
    images = keras.Input((None, None, 1))
    brighter = keras.Model(images, images + 0.5)
    # logits: ten times the images, in steps of 2 pixels; the second scale sees nothing
    logits = 10 * keras.layers.AveragePooling2D(2)(images)
    blind = keras.ops.zeros_like(logits)
    both = keras.layers.Concatenate()([blind, logits])
    critic = keras.Model(images, both if scales == 2 else logits)
    picture = np.zeros((1, 16, 16, 1), np.float32)
    picture[0, 4:8, 4:8] = -0.8
    guided = build_guided_generator(brighter, critic)
    change = (guided(picture) - picture).numpy()[0, ..., 0]
    # the mean is -0.05, so 7.5 below it there, and 0.5 above it elsewhere
    elsewhere = 0.5 if scales == 1 else 0  # how far below: the farthest scale counts
    inside, outside = (0.2 + 0.8 / (1 + np.exp(3 - u)) for u in (7.5, -elsewhere))
    np.testing.assert_allclose(change[5:7, 5:7], 0.5 * inside, rtol=1e-5)
    np.testing.assert_allclose(change[:2], 0.5 * outside, rtol=1e-5)
    np.testing.assert_allclose(change[:, 12:], 0.5 * outside, rtol=1e-5)
    # what the whole image shows changes nothing
    np.testing.assert_allclose(guided(picture + 0.1) - picture - 0.1, change[None, ..., None],
                               atol=1e-5)  # fmt: skip


@pytest.mark.parametrize("build", [build_generator, build_discriminator])
def test_no_two_layers_or_networks_start_alike(build):
    first, second = (kernels(build(channels=3, width=8)) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert not np.array_equal(a, b)
        if a.size > 1000:
            assert a.std() == pytest.approx(0.02, rel=0.15)
            assert abs(a.mean()) < 0.004
    for number, a in enumerate(first):
        for b in first[:number]:
            assert a.shape != b.shape or not np.array_equal(a, b)


def test_residual_generator_starts_as_the_identity():
    images = random_images(2, 20, 16, 3)
    images[0, 0, 0] = (-1, 1, 0)
    cleaned = build_generator(3, 2, 1, residual=True)(images)
    np.testing.assert_array_equal(cleaned, images)


def test_through_a_keras_file(tmp_path):
    generator = shaken(build_generator(1, 2, 1, residual=True), 0.3)
    generator.save(tmp_path / "generator.keras")
    again = keras.models.load_model(tmp_path / "generator.keras")
    images = random_images(1, 16, 24, 1)
    np.testing.assert_array_equal(again(images), generator(images))
    assert np.abs(generator(images) - images).max() > 0.1
