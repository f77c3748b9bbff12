import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import PeepholeConvLSTM2D
from tests.layers.shared import built, check_slopes, outputs_and_gradients, reloaded

X = np.random.default_rng(0).normal(size=(2, 5, 4, 6, 3)).astype("float32")
FRONT = np.array([[False, False, True, True, True], [True] * 5])
HOLES = np.array([[True, False, True, True, False], [False, True, False, False, True]])


def random_layer(filters=2, peepholes=True, shape=X.shape, **kwargs):
    """A layer with random weights, always the same."""
    layer = built(PeepholeConvLSTM2D(filters, **kwargs), shape)
    rng = np.random.default_rng(1)
    for weight in layer.weights:
        if peepholes or "peephole" not in weight.name:
            weight.assign(rng.normal(0, 0.5, weight.shape))
    return layer


def run(layer, x, **kwargs):
    """h, then the gradients of a loss that uses all of h."""
    factors = np.random.default_rng(4).normal(size=(*x.shape[:-1], layer.filters))
    return outputs_and_gradients(layer, x, tf.constant(factors, layer.compute_dtype), **kwargs)


# The equations ------------------------------------------------------------------------------


def convolve(maps, kernel):
    """(H, W, A), (k, k, A, B) -> (H, W, B), zeros beyond the edges."""
    size = len(kernel)
    padded = np.pad(maps, [(size // 2, size // 2)] * 2 + [(0, 0)])
    result = np.zeros((*maps.shape[:2], kernel.shape[-1]))
    for y, x in np.ndindex(result.shape[:2]):
        result[y, x] = np.einsum("yxa,yxab->b", padded[y : y + size, x : x + size], kernel)
    return result


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def by_hand(layer, sequences, mask):
    """The equations of section 5 (6), in float64, a sequence and a step at a time."""
    w_x, w_h, b, w_ci, w_cf, w_co = (np.float64(weight) for weight in layer.weights)
    w_xi, w_xf, w_xc, w_xo = np.split(w_x, 4, axis=-1)
    w_hi, w_hf, w_hc, w_ho = np.split(w_h, 4, axis=-1)
    b_i, b_f, b_c, b_o = np.split(b, 4)
    outputs = []
    for sequence, is_step in zip(np.float64(sequences), mask):
        c = h = np.zeros((*sequence.shape[1:3], layer.filters))
        for x, step in zip(sequence, is_step):
            if step:
                i = sigmoid(convolve(x, w_xi) + convolve(h, w_hi) + w_ci * c + b_i)
                f = sigmoid(convolve(x, w_xf) + convolve(h, w_hf) + w_cf * c + b_f)
                c = f * c + i * np.tanh(convolve(x, w_xc) + convolve(h, w_hc) + b_c)
                o = sigmoid(convolve(x, w_xo) + convolve(h, w_ho) + w_co * c + b_o)
                h = o * np.tanh(c)
            outputs.append(h)
    return np.reshape(outputs, (*sequences.shape[:-1], layer.filters))


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("kernel_size", [3, 5])
def test_the_equations_by_hand(kernel_size, unroll):
    layer = random_layer(kernel_size=kernel_size, unroll=unroll)
    assert [weight.shape[-1] for weight in layer.weights] == [8, 8, 8, 2, 2, 2]
    everything = by_hand(layer, X, np.ones((2, 5), bool))
    np.testing.assert_allclose(layer(X), everything, rtol=1e-4, atol=1e-6)
    for mask in (FRONT, HOLES):
        expected = by_hand(layer, X, mask)
        np.testing.assert_allclose(layer(X, mask=mask), expected, rtol=1e-4, atol=1e-6)
        assert np.abs(expected - everything).max() > 0.05


@pytest.mark.parametrize("mask", [None, HOLES])
def test_gradients_are_the_slopes(mask):
    layer, x = random_layer(dtype="float64"), keras.Variable(X, dtype="float64")
    factors = np.random.default_rng(4).normal(size=(*X.shape[:-1], 2))

    def loss():
        return tf.reduce_sum(layer(x.value, mask=mask) * factors)

    check_slopes(loss, [x, *layer.trainable_variables])


@pytest.mark.parametrize("mask", [None, FRONT, HOLES])
def test_without_peepholes_it_is_convlstm2d(mask):
    ours = random_layer(4, peepholes=False)
    theirs = keras.layers.ConvLSTM2D(4, 3, padding="same", return_sequences=True)
    theirs.build(X.shape)
    theirs.set_weights(ours.get_weights()[:3])

    found = run(ours, X, mask=mask)
    theirs.supports_masking = True  # else it warns
    expected = run(theirs, X, mask=mask)

    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5, atol=1e-6)
    for gradient, other in zip(found[1:], expected[1:]):
        np.testing.assert_allclose(gradient, other, rtol=1e-4, atol=1e-5)


def test_it_starts_like_convlstm2d():
    layer = PeepholeConvLSTM2D(16)
    layer.build((None, 2, 4, 4, 16))
    kernel, recurrent, bias, *peepholes = layer.get_weights()
    np.testing.assert_array_equal(bias, np.repeat([0, 1, 0, 0], 16))
    assert not np.any(peepholes)
    assert kernel.std() == pytest.approx(np.sqrt(2 / (9 * 16 * 5)), rel=0.1)  # Glorot
    rows = recurrent.reshape(-1, 64)
    np.testing.assert_allclose(rows.T @ rows, np.eye(64), atol=1e-5)


# Loops and graphs ---------------------------------------------------------------------------


@pytest.mark.parametrize("mask", [pytest.param(None, marks=pytest.mark.slow), FRONT])
def test_looped_and_unrolled_are_the_same(mask):
    results = []
    for unroll in (False, True):
        results.append(tf.function(run)(random_layer(unroll=unroll), X, mask=mask))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_under_xla():
    layer, x, mask = random_layer(), X[:, :3], FRONT[:, :3]
    compiled = tf.function(run, jit_compile=True)
    found, expected = (each(layer, x, mask=mask) for each in (compiled, run))
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_steps_and_count_may_be_unknown():
    layer = random_layer()
    shape = (None, None, *X.shape[2:])
    traced = tf.function(lambda x: layer(x), input_signature=[tf.TensorSpec(shape)])
    np.testing.assert_allclose(traced(X[:, :3]), layer(X)[:, :3], rtol=1e-5, atol=1e-6)


def test_mixed_precision():
    layer = random_layer(dtype="mixed_bfloat16")
    assert layer.kernel.dtype == "float32"
    h = layer(X, mask=HOLES)
    assert h.dtype == "bfloat16"
    np.testing.assert_allclose(tf.cast(h, "float32"), random_layer()(X, mask=HOLES), atol=0.03)


# Padding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("unroll", [False, True])
def test_padding_in_front_changes_nothing(unroll):
    expected = random_layer()(X)
    rng = np.random.default_rng(3)
    for front in (1, 4):
        padding = rng.normal(size=(2, front, *X.shape[2:]))
        mask = np.pad(np.ones((2, 5), bool), [(0, 0), (front, 0)])
        layer = random_layer(unroll=unroll, shape=(2, 5 + front, *X.shape[2:]))
        h = layer(np.concatenate([padding, X], axis=1), mask=mask)
        np.testing.assert_array_equal(h[:, :front], np.zeros((2, front, 4, 6, 2)))
        np.testing.assert_allclose(h[:, front:], expected, rtol=1e-5, atol=1e-6)


def test_padding_has_no_gradient():
    _, gradient, *_ = run(random_layer(), X, mask=FRONT)
    has_gradient = np.any(gradient, axis=(2, 3, 4))
    np.testing.assert_array_equal(has_gradient, FRONT)


# Keras --------------------------------------------------------------------------------------


@pytest.mark.parametrize("unroll", [False, True])
def test_through_a_keras_file(tmp_path, unroll):
    maps, mask = keras.Input(X.shape[1:]), keras.Input((5,), dtype="bool")
    layer = random_layer(unroll=unroll, kernel_size=5)
    model = keras.Model([maps, mask], layer(maps, mask=mask))
    assert model.output.shape == (None, 5, 4, 6, 2)
    again = reloaded(model, tmp_path)
    assert (again.layers[-1].unroll, again.layers[-1].kernel_size) == (unroll, 5)
    np.testing.assert_array_equal(again([X, FRONT]), model([X, FRONT]))
    np.testing.assert_array_equal(again([X, FRONT]), layer(X, mask=FRONT))


@pytest.mark.parametrize(
    "unroll, shape, message",
    [
        (False, (None, 5, None, 6, 3), "height and width must be known"),
        (False, (None, 5, 4, None, 3), "height and width must be known"),
        (True, (None, None, 4, 6, 3), "`unroll` needs the number of steps"),
    ],
)
def test_bad_shapes(unroll, shape, message):
    with pytest.raises(ValueError, match=message):
        PeepholeConvLSTM2D(2, unroll=unroll).build(shape)
