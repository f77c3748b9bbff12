import keras
import numpy as np
import pytest

from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn, encode_gamma

# Table 1, row by row. Batch normalisation counts four parameters a channel.
TABLE_1 = [248, 608, 264, 464, 784, 1440, 2592, 4928, 9280, 18048, 3459]


def parameters_by_row(network):
    rows = []
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            rows[-1] += layer.count_params()
        elif layer.count_params():
            rows.append(layer.count_params())
    return rows


def test_table_1_parameters():
    network = build_dscnn()
    assert parameters_by_row(network) == TABLE_1
    assert network.count_params() == 42_115


def test_table_1_output_shapes():
    kinds = keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.MaxPooling2D
    shapes = [layer.output.shape[1:] for layer in build_dscnn().layers if type(layer) in kinds]
    assert shapes == [
        *[(62, 62, 8), (60, 60, 8)],
        *[(60, 60, 16), (60, 60, 16), (30, 30, 16)],
        *[(30, 30, 32), (30, 30, 32), (15, 15, 32)],
        *[(15, 15, 64), (15, 15, 64), (8, 8, 64)],
        *[(8, 8, 128), (8, 8, 128), (4, 4, 128)],
        (4, 4, 3),
    ]


def test_standard_convolutions_and_the_share_that_separable_ones_save():
    standard = build_dscnn(separable=False).count_params()
    assert standard == 299_995
    assert 1 - 42_115 / standard == pytest.approx(0.86, abs=0.001)  # "about 86 %"


def test_modules_have_no_relu_before_pooling():
    layers = build_dscnn().layers
    for before, layer in zip(layers, layers[1:], strict=False):
        if isinstance(layer, keras.layers.MaxPooling2D):
            assert isinstance(before, keras.layers.BatchNormalization)


def test_fifth_module_does_not_pool():
    names = [type(layer).__name__ for layer in build_dscnn(modules=5).layers]
    assert names.count("MaxPooling2D") == 4
    assert names.count("SeparableConv2D") == 10


@pytest.mark.parametrize("modules", [1, 2, 5])
@pytest.mark.parametrize("patch_size", [16, 32])
@pytest.mark.parametrize("skip", [False, True])
def test_variants_run(modules, patch_size, skip):
    network = build_dscnn(patch_size, modules, skip=skip)
    assert network(np.ones((2, patch_size, patch_size, 3), np.float32)).shape == (2, 3)


def test_skip_connection_reaches_the_output():
    network = build_dscnn(16, 1, skip=True)
    shortcut = next(
        layer
        for layer in network.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1)
    )
    x = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    before = network(x).numpy()
    shortcut.kernel.assign(shortcut.kernel + 1)
    assert not np.allclose(network(x), before)


@pytest.mark.parametrize("variant", [{}, {"skip": True}, {"separable": False}])
def test_variants_train(variant):
    rng = np.random.default_rng(0)
    network = build_dscnn(32, 2, **variant)
    compile_dscnn(network, 1e-3)
    network.run_eagerly = True
    x = rng.random((8, 32, 32, 3), np.float32)
    before = network.get_weights()
    network.fit(x, rng.random((8, 3), np.float32), verbose=0)
    for name, old, new in zip(
        [weight.path for weight in network.weights], before, network.get_weights(), strict=True
    ):
        assert np.isfinite(new).all(), name
        assert not np.array_equal(old, new), name


def test_every_kernel_is_regularised():
    network = build_dscnn(l2=0.5)
    kernels = [w for w in network.trainable_weights if "kernel" in w.name]
    expected = 0.5 * sum(float(np.sum(np.square(kernel))) for kernel in kernels)
    assert len(kernels) == 2 + 2 * 8 + 1
    assert float(sum(network.losses)) == pytest.approx(expected, rel=1e-5)


def test_gamma_encoding_by_hand():
    patch = np.zeros((1, 8, 8, 3), np.float32)
    patch[0, 0, 0] = [0.5, 0.25, 0.125]
    encoded = np.array(encode_gamma(patch))
    np.testing.assert_allclose(
        encoded[0, 0, 0], [1, 0.5 ** (1 / 2.2), 0.25 ** (1 / 2.2)], rtol=1e-6
    )
    assert not np.array(encode_gamma(np.zeros((1, 8, 8, 3), np.float32))).any()


def test_gamma_encoding_makes_the_estimate_independent_of_exposure():
    network = build_dscnn(16, 1, encoding="gamma")
    x = np.random.default_rng(0).random((1, 16, 16, 3), np.float32)
    np.testing.assert_allclose(network(x), network(x / 7), rtol=1e-4)


@pytest.mark.parametrize(
    "arguments", [{"modules": 0}, {"modules": 6}, {"patch_size": 7}, {"encoding": "log"}]
)
def test_arguments_out_of_range(arguments):
    with pytest.raises(ValueError, match="Received"):
        build_dscnn(**arguments)


def test_saved_and_loaded(tmp_path):
    network = build_dscnn(16, 1, encoding="gamma", skip=True)
    network.save(tmp_path / "dscnn.keras")
    loaded = keras.models.load_model(tmp_path / "dscnn.keras")
    x = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    np.testing.assert_array_equal(network(x), loaded(x))
