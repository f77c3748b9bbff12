"""Every model as a Keras user expects it: saved, loaded, evaluated, in each precision."""

import itertools
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.text2image.gnn import GNN
from keras_gans.training.precision import computing_in, in_float32
from tests.training import tiny
from tests.training.tiny import MODELS, STEPS, defectgan, eager, gnn, inputs

FRESH = """
import json, sys
import keras
import keras_gans  # in this order, as isort has them
import numpy as np

for path in sys.argv[1:]:
    model = keras.models.load_model(path)
    print(json.dumps([type(model).__name__, [float(np.sum(v)) for v in model.variables]]))
"""


def fit(model, batch):
    data = tf.data.Dataset.from_tensors(batch)
    return {k: v for k, [v] in model.fit(data, verbose=0, shuffle=False).history.items()}


def evaluate(model, batch):
    data = tf.data.Dataset.from_tensors(batch)
    return model.evaluate(data, return_dict=True, verbose=0)


def state(model):
    return [*model.variables, *(v for each in optimizers(model) for v in each.variables)]


def optimizers(model):
    return [*getattr(model, "optimizers", {"optimizer": model.optimizer}).values()]


def settings(model):
    """Without the networks; as JSON, which knows no tuples."""
    plain = {
        name: value
        for name, value in model.get_config().items()
        if isinstance(value, (str, int, float, type(None)))
    }
    return json.dumps([plain, model.get_compile_config(), model.jit_compile])


def assert_same(model, other):
    for ours, theirs in zip(state(model), state(other), strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A function from a name to the model after a step, its batch, file and first losses."""
    folder, known = tmp_path_factory.mktemp("models"), {}

    def get(name):
        if name not in known:
            keras.utils.set_random_seed(0)
            model, batch = MODELS[name]()
            losses = fit(eager(model), batch)
            path = folder / f"{name}.keras"
            model.save(path)
            known[name] = model, batch, path, losses
        return known[name]

    return get


@pytest.mark.slow
def test_a_fresh_process_loads_them(trained):
    models = [trained(name) for name in ("distillation", "text-to-image", "segnet")]
    paths = [str(path) for _, _, path, _ in models]
    command = [sys.executable, "-c", FRESH, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for (model, *_), line in zip(models, done.stdout.splitlines(), strict=True):
        kind, sums = json.loads(line)
        assert kind == type(model).__name__
        assert sums == pytest.approx([float(np.sum(v)) for v in model.variables], rel=1e-6)


# whose classes, or what is special about them, others of the quick tests have too
SECOND = "distillation", "acgan", "dcgan", "cam"


def first(names):
    """Parameters of tests: all names, of which the second ones are slow tests."""
    slow = pytest.mark.slow
    return [pytest.param(name, marks=slow) if name in SECOND else name for name in names]


@pytest.mark.parametrize("name", first(MODELS))
def test_a_loaded_model_goes_on_as_the_saved_one(name, trained):
    model, batch, path, _ = trained(name)
    loaded = keras.models.load_model(path)
    assert_same(model, loaded)
    assert type(loaded) is type(model) and settings(loaded) == settings(model)
    x = inputs(name, batch)
    drawn = eager(loaded).predict(x, verbose=0)
    tf.nest.map_structure(np.testing.assert_array_equal, drawn, model.predict(x, verbose=0))
    if name == "labels-only":
        return  # Keras saves no seeds of the models that it trains itself
    shown = fit(loaded, batch)
    assert shown == fit(model, batch)
    assert_same(model, loaded)


@pytest.mark.parametrize("name", first(STEPS))
def test_evaluation_changes_nothing(name, trained):
    model, batch, *_ = trained(name)
    before = [v.numpy() for v in state(model)]
    found = evaluate(model, batch)
    assert list(found) == sorted(metric.name for metric in model.metrics)
    assert np.isfinite([*found.values()]).all() and found == evaluate(model, batch)
    model.reset_metrics()
    counts = {id(v) for metric in model.metrics for v in metric.variables}
    for variable, old in zip(state(model), before, strict=True):
        if id(variable) not in counts:
            np.testing.assert_array_equal(variable, old, err_msg=variable.path)


def test_evaluation_gives_the_losses_of_a_step():
    gan, batch = defectgan()  # whose networks are the same in training
    gan.compile(*(keras.optimizers.SGD(0.0) for _ in range(2)), run_eagerly=True)
    history = gan.fit(
        tf.data.Dataset.from_tensors(batch), verbose=0, shuffle=False,
        validation_data=tf.data.Dataset.from_tensors(batch),
    ).history  # fmt: skip
    for name in gan.METRICS:
        assert history[f"val_{name}"] == pytest.approx(history[name], rel=1e-5)


@pytest.mark.parametrize("name", first(STEPS))
def test_summary_counts_the_parameters(name, trained):
    model, lines = trained(name)[0], []
    model.summary(print_fn=lambda text, **_: lines.append(text), line_length=120)
    text = "\n".join(lines)
    assert f"Total params: {model.count_params():,} " in text and "unbuilt" not in text


def test_a_batch_counts_as_much_as_it_has():
    gan, (given, images) = tiny.gnn()
    gan.run_eagerly = True
    figures = [gan.evaluate(given, images, batch_size=n, verbose=0) for n in (1, 3, len(given))]
    assert figures[0] == pytest.approx(figures[2], rel=1e-5)
    assert figures[1] == pytest.approx(figures[2], rel=1e-5)


def test_averages_of_an_optimizer_stay_in_the_end():
    gan, batch = tiny.gnn()
    gan.compile(keras.optimizers.Adam(1e-2, use_ema=True, ema_momentum=0.9), run_eagerly=True)
    data = tf.data.Dataset.from_tensors(batch).repeat(3)
    gan.fit(data, verbose=0, shuffle=False)
    averages = gan.g_optimizer._model_variables_moving_average
    for variable, average in zip(gan.trainable_variables, averages, strict=True):
        np.testing.assert_array_equal(variable, average)


def test_batches_of_a_length_that_is_not_known():
    gan = tiny.attention()[0]
    images = tiny.images(6, 16, 16, channels=1)
    gan.fit(images, -images, batch_size=4, verbose=0)  # the last one has 2


def test_a_subclass_may_pass_all_arguments_on(tmp_path):
    @keras.saving.register_keras_serializable("tests")
    class Passing(GNN):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)

    gan = tiny.gnn()[0]
    mine = Passing(gan.generator)
    mine.save(tmp_path / "mine.keras")
    again = keras.models.load_model(tmp_path / "mine.keras")
    np.testing.assert_array_equal(
        again.generator.get_weights()[0], gan.generator.get_weights()[0]
    )


def test_one_optimizer_twice():
    gan, _ = tiny.dcgan()
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="an optimizer of its own. Received: one twice"):
        gan.compile(adam, adam)


def test_a_missing_optimizer():
    model, _ = tiny.single()
    with pytest.raises(ValueError, match="needs g_optimizer, d_optimizer. Received: no d_opt"):
        model.compile(*tiny.optimizers(1))


@pytest.mark.parametrize(
    "option", [{"loss": "mse"}, {"metrics": ["mae"]}, {"loss_weights": [2.0]}]
)
def test_no_other_losses(option):
    model = tiny.gnn()[0]
    with pytest.raises(ValueError, match=f"the model has its own. Received: {[*option][0]}"):
        model.compile(*tiny.optimizers(1), **option)


def test_no_weights():
    model, (vectors, images) = tiny.gnn()
    model.run_eagerly = True
    weights = np.ones(len(images))
    for refused in (
        lambda: model.fit(vectors, images, sample_weight=weights, verbose=0),
        lambda: model.evaluate(vectors, images, sample_weight=weights, verbose=0),
        lambda: model.train_on_batch(vectors, images, weights),
    ):
        with pytest.raises(ValueError, match="no sample weights and no class weights. Rec"):
            refused()
    model.train_on_batch(vectors, images)


@pytest.mark.parametrize("name", first(STEPS))
@pytest.mark.parametrize(
    "change", [lambda x: x.astype(np.uint8), lambda x: x.repeat(2, -1), lambda x: x[..., 0]]
)
def test_images_that_do_not_fit(name, change, trained):
    model, batch, *_ = trained(name)
    bad = tf.nest.map_structure(lambda x: change(x) if x.ndim > 3 else x, batch)
    for step in model.train_step, model.test_step:
        with pytest.raises(ValueError, match=r"^images must be float, .* in \[-1, 1\]. Rec.*$"):
            step(bad)


def test_images_that_do_not_fit_are_refused_in_one_line():
    model, (vectors, images) = tiny.gnn()
    with pytest.raises(ValueError) as refused:
        model.fit(vectors, images[:, 1:], verbose=0)
    assert str(refused.value) == (
        "images must be float, each of (8, 8, 3), in [-1, 1]. Received: float32 (None, 7, 8, 3)"
    )


HALVES = "bfloat16", "float16"
QUICK = {("gnn", "float16"), *((name, "bfloat16") for name in ("gnn", "dscnn", "segnet"))}


# Precision ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, precision",
    [
        pytest.param(*each, marks=[pytest.mark.slow] * (each not in QUICK))
        for each in itertools.product(MODELS, HALVES)
    ],
)
def test_a_step_in_half_precision(name, precision, trained):
    keras.utils.set_random_seed(0)
    with computing_in(precision):
        model, batch = MODELS[name]()
    found = fit(eager(model), batch)
    for figure, value in trained(name)[-1].items():
        if not figure.endswith("accuracy"):
            assert found[figure] == pytest.approx(value, rel=0.05, abs=0.05), figure
    outputs = tf.nest.flatten(model(inputs(name, batch)))
    assert {output.dtype for output in outputs} == {tf.float32}
    assert {v.dtype for v in model.weights if "seed" not in v.path} <= {"float32", "int64"}
    scaled = {isinstance(o, keras.optimizers.LossScaleOptimizer) for o in optimizers(model)}
    assert scaled == {precision == "float16"} and all(o.built for o in optimizers(model))


def test_a_file_of_a_float16_model(tmp_path):
    with computing_in("float16"):
        model, batch = gnn()
    fit(eager(model), batch)
    model.save(tmp_path / "m.keras")
    loaded = eager(keras.models.load_model(tmp_path / "m.keras"))
    assert fit(loaded, batch) == fit(model, batch)
    assert_same(model, loaded)


def test_the_loss_is_scaled_and_the_gradient_scaled_back():
    moves = []
    for precision in ("float32", "float16"):
        keras.utils.set_random_seed(0)
        with computing_in(precision):
            model, batch = gnn()
        model.compile(keras.optimizers.SGD(1.0), run_eagerly=True)
        before = [v.numpy() for v in model.trainable_variables]
        fit(model, batch)
        moves.append([v.numpy() - old for v, old in zip(model.trainable_variables, before)])
    for ours, theirs in zip(*moves, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.02 * np.abs(ours).max())

    scale = model.g_optimizer.dynamic_scale
    scale.assign(1e38)  # too much: the step is left out, the scale halved
    before = [v.numpy() for v in model.trainable_variables]
    fit(model, batch)
    for variable, old in zip(model.trainable_variables, before):
        np.testing.assert_array_equal(variable, old)
    assert float(scale) == pytest.approx(5e37)


@pytest.mark.parametrize("name", ["segnet", "text-to-image"])
def test_what_is_exported_computes_in_float32(name):
    with computing_in("bfloat16"):
        model, batch = MODELS[name]()
    network = getattr(model, "network", model)
    x = inputs(name, batch)
    exact = in_float32(network)
    assert {layer.compute_dtype for layer in exact._flatten_layers()} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"
    for ours, theirs in zip(exact.weights, network.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(exact(x), network(x), atol=0.02)
    assert not np.array_equal(exact(x), network(x))
    assert in_float32(exact) is exact
