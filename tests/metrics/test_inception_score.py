import numpy as np
import pytest
import tensorflow as tf

from keras_gans.errors import InputError
from keras_gans.metrics.inception_score import (
    INCEPTION_2015,
    inception_2015,
    inception_score,
    score_name,
)


def test_score_of_equal_and_of_certain_predictions():
    equal = np.tile(np.float32([0.2, 0.5, 0.3]), (40, 1))
    np.testing.assert_allclose(inception_score(equal), (1, 0), atol=1e-12)
    certain = np.eye(7)[np.arange(70) % 7]  # zeros: 0 log 0 is 0
    np.testing.assert_allclose(inception_score(certain), (7, 0), atol=1e-12)
    # not scrambled: in each of 7 splits all images are alike
    by_class = certain[np.argsort(np.arange(70) % 7)]
    np.testing.assert_allclose(inception_score(by_class, splits=7), (1, 0), atol=1e-12)


def test_score_by_hand():
    # p(y) = (1/2, 1/2); KL = 3/4 log(3/2) + 1/4 log(1/2) for both rows
    mirrored = [[0.75, 0.25], [0.25, 0.75]]
    by_hand = 1.5**0.75 * 0.5**0.25
    assert inception_score(mirrored, splits=1) == (pytest.approx(by_hand), 0)
    # splits of 2, 2 and 3 images; the last one: p(y) = (2/3, 1/3), H(p(y)) as KL
    rows = mirrored + [[0.5, 0.5]] * 2 + [[1, 0], [1, 0], [0, 1]]
    scores = [by_hand, 1, np.exp(np.log(3) - 2 / 3 * np.log(2))]
    expected = np.mean(scores), np.sqrt(np.mean(np.square(scores - np.mean(scores))))
    np.testing.assert_allclose(inception_score(rows, splits=3), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "probabilities",
    [[0.5, 0.5], [[0.5, 0.6]], [[1.5, -0.5]], [[np.nan, 1.0]], np.zeros((0, 3))],
)
def test_score_refuses(probabilities):
    with pytest.raises(ValueError, match="`probabilities` must be|`splits` must be"):
        inception_score(probabilities, splits=1)


def test_score_refuses_more_splits_than_images():
    with pytest.raises(ValueError, match="from 1 to the number of images, 3. Received: 10"):
        inception_score(np.eye(3))


def test_name():
    assert score_name(INCEPTION_2015) == "inception_score"
    assert score_name("classifier") == "inception_score_classifier"


def constant(graph_def, name, value):
    node = graph_def.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value, tf.float32))


def write_graph(path, features=2048, classes=1008, leave_out=()):
    """A graph with the names, sizes, age and oldest operation of the published one.

    Features are the means of the resized channels; returns the weights of its logits.
    """
    rng = np.random.default_rng(0)
    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        one = v1.placeholder(tf.float32, (None, None, 3), name="Cast")
        x = tf.expand_dims(one, 0, name="ExpandDims")  # a batch of one
        x = v1.image.resize_bilinear(x, (299, 299), name="ResizeBilinear")
        x = tf.multiply(tf.subtract(x, 128.0, name="Sub"), 1 / 128, name="Mul")
    graph_def = graph.as_graph_def()
    for name, value in {"mean": 0, "variance": 1, "beta": 0, "gamma": 1}.items():
        constant(graph_def, name, np.full(3, value))
    batch_norm = graph_def.node.add(name="bn", op="BatchNormWithGlobalNormalization")
    batch_norm.input.extend(["Mul", "mean", "variance", "beta", "gamma"])
    batch_norm.attr["T"].type = tf.float32.as_datatype_enum
    batch_norm.attr["variance_epsilon"].f = 0.0
    batch_norm.attr["scale_after_normalization"].b = False
    graph_def.versions.producer = 8

    weights = rng.normal(size=(features, classes)).astype(np.float32) / 30
    with tf.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, (1, 299, 299, 3), name="bn")
        x = tf.reduce_mean(x, (1, 2), keepdims=True)
        x = tf.tile(x, (1, 1, 1, -(-features // 3)))[..., :features]
        pool = tf.identity(x, name="pool_3")
        flat = tf.reshape(pool, (1, features), name="pool_3/_reshape")
        tf.matmul(flat, tf.constant(weights), name="softmax/logits/MatMul")
    nodes = [node for node in graph.as_graph_def().node if node.name != "bn"]
    graph_def.node.extend(node for node in nodes if node.name not in leave_out)
    path.write_bytes(graph_def.SerializeToString())
    return weights


def test_graph_of_2015(tmp_path):
    weights = write_graph(tmp_path / "graph.pb")
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, 8, 6, 3), np.uint8)
    features = inception_2015(tmp_path / "graph.pb", "features", batch_size=2)(images)
    assert features.shape == (5, 2048) and features.dtype == np.float32

    # the corners of old: output pixel i looks at input i * size / 299
    def old_linear(size):
        at = np.arange(299) * size / 299
        low = np.floor(at).astype(int)
        weight = np.zeros((299, size))
        weight[np.arange(299), low] += 1 - (at - low)
        weight[np.arange(299), np.minimum(low + 1, size - 1)] += at - low
        return weight.mean(axis=0)

    means = np.einsum("nhwc,h,w->nc", images, old_linear(8), old_linear(6))
    np.testing.assert_allclose(features[:, :3], (means - 128) / 128, atol=1e-5)

    probabilities = inception_2015(tmp_path / "graph.pb")(images)
    logits = np.exp(features @ weights)
    np.testing.assert_allclose(
        probabilities, logits / logits.sum(axis=1, keepdims=True), rtol=1e-4
    )
    for wrong in (images[0], images / 255, images[..., :1]):
        with pytest.raises(ValueError, match=r"images must be uint8 \(N, H, W, 3\)"):
            inception_2015(tmp_path / "graph.pb")(wrong)
    with pytest.raises(ValueError, match="`output` must be one of"):
        inception_2015(tmp_path / "graph.pb", "logits")


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "graph.pb"
    with pytest.raises(InputError, match="graph.pb: cannot be read"):
        inception_2015(path)
    for content in (b"", b"no graph"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="not the Inception graph of 2015"):
            inception_2015(path)
    write_graph(path, classes=10)
    with pytest.raises(InputError, match=r"\(its last layer is \(2048, 10\)\); give"):
        inception_2015(path)
    write_graph(path, 16, 4, leave_out=["softmax/logits/MatMul"])
    with pytest.raises(InputError, match="no node softmax/logits/MatMul"):
        inception_2015(path)
