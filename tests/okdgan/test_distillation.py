import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gans.layers import update_spectral_norms
from keras_gans.layers.spectral_norm import SpectralNorm
from keras_gans.okdgan.acgan import ACGAN
from keras_gans.okdgan.distillation import OnlineDistillation
from keras_gans.okdgan.networks import build_critic, build_generator
from keras_gans.okdgan.sagan import SAGAN

REAL = np.random.default_rng(0).uniform(-1, 1, (4, 16, 16, 3)).astype("float32")
LABELS = np.int64([0, 1, 1, 0])
Z = tf.constant([[0.5], [-1.0], [2.0]])


class Plain:
    """A GAN that is none of ours: WGAN without penalty, images 2x2x1 of latents (N, 1)."""

    FIGURES = ("size",)

    def __init__(self, bias, slope):
        constant = keras.initializers.Constant
        z = keras.Input((1,))
        x = keras.layers.Dense(
            4, kernel_initializer=constant(0.1), bias_initializer=constant(bias)
        )(z)
        self.generator = keras.Model(z, keras.layers.Reshape((2, 2, 1))(x))
        self.critic = linear(slope)
        self.averages = 0

    def sample_latents(self, batch):
        return Z

    def critic_loss(self, batch, generated, training):
        loss = tf.reduce_mean(self.critic(generated)) - tf.reduce_mean(self.critic(batch))
        return loss, (tf.reduce_sum(tf.abs(generated)),)

    def generator_loss(self, batch, generated, training):
        return -tf.reduce_mean(self.critic(generated))

    def move_average(self, step):
        self.averages += 1


def linear(slope):
    """The score `slope * sum of the pixels`; the gradient is 2 slope long."""
    images = keras.Input((2, 2, 1))
    kernel = keras.initializers.Constant(slope)
    score = keras.layers.Dense(1, kernel_initializer=kernel)(keras.layers.Flatten()(images))
    return keras.Model(images, score)


def ring(biases, slopes, connectors, rates=(0.0, 0.0, 0.0), **options):
    students = [Plain(*pair) for pair in zip(biases, slopes)]
    gans = OnlineDistillation(students, [linear(slope) for slope in connectors], **options)
    gans.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
    return gans


def small(count, kind=SAGAN, rates=(0.1, 0.1, 0.1), rho=0.3, attention=(), **options):
    keras.utils.set_random_seed(0)
    classes = 2 if kind is ACGAN else 0
    students = [
        kind(
            build_generator(16, width=2, latent=5, classes=classes, attention=attention),
            build_critic(16, width=2, classes=classes, attention=attention),
            seed=i,
            **options,
        )
        for i in range(count)
    ]
    connectors = [
        build_critic(16, width=2, attention=attention) for _ in range(count if count > 1 else 0)
    ]
    gans = OnlineDistillation(students, connectors, rho=rho)
    gans.compile(*map(keras.optimizers.SGD, rates), run_eagerly=True)
    return gans


def step(gans, batch=REAL):
    return {name: float(value) for name, value in gans.train_step(batch).items()}


def values(weights):
    return [np.array(weight) for weight in weights]


# Equations by hand --------------------------------------------------------------------------


@pytest.mark.parametrize("count", [2, 3, pytest.param(5, marks=pytest.mark.slow)])
def test_each_connector_compares_its_student_with_the_next_one(count):
    # the images of student i are 0.1 z + bias; a connector's score is slope * 4 pixels
    biases = np.array([0.1, 0.4, -0.3, 0.9, 0.2])[:count]
    slopes = np.array([2.0, -1.0, 0.5, 3.0, 1.5])[:count]
    connectors = np.array([1.0, 0.7, -2.0, 0.25, 4.0])[:count]
    figures = step(
        ring(biases, slopes, connectors, rho=0.3, penalty=7.0), np.ones((3, 2, 2, 1))
    )
    mean = 0.1 * 0.5 + biases  # of the pixels; the mean of z is 0.5
    for i in range(count):
        critic_loss = 4 * slopes[i] * (mean[i] - 1)  # eq. 6 of this GAN
        generator_loss = -4 * slopes[i] * mean[i] - 0.3 * 4 * connectors[i] * mean[i]  # eq. 7
        distance = 4 * connectors[i] * (mean[(i + 1) % count] - mean[i])
        connector_loss = -distance + 7 * (2 * abs(connectors[i]) - 1) ** 2  # eq. 8
        found = [
            figures[f"student{i + 1}_critic_loss"],
            figures[f"student{i + 1}_generator_loss"],
            figures[f"connector{i + 1}_distance"],
            figures[f"connector{i + 1}_loss"],
        ]
        expected = [critic_loss, generator_loss, distance, connector_loss]
        assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)
    sizes = [4 * np.abs(0.1 * Z[:, 0] + bias).sum() for bias in biases]
    found = [figures[f"student{i + 1}_size"] for i in range(count)]
    assert found == pytest.approx(sizes, rel=1e-4)
    assert len(figures) == 5 * count


def test_the_penalty_lies_between_the_two_students():
    gans = ring([3.0, -5.0], [1.0, 1.0], [1.0, 1.0], rho=0.1)
    images = keras.Input((2, 2, 1))
    square = keras.ops.sum(keras.ops.square(images), axis=(1, 2, 3), keepdims=False)
    connector = keras.Model(images, keras.ops.expand_dims(square / 2, -1))
    gans.connectors = [connector, connector]
    first, second = tf.fill([1, 2, 2, 1], 3.0), tf.fill([1, 2, 2, 1], -5.0)
    slopes = []
    for _ in range(40):
        (loss, distance), _ = gans.connector_losses([first, second])
        assert float(distance) == (4 * 25 - 4 * 9) / 2
        slopes.append(np.sqrt(float(loss + distance) / 10) + 1)  # |x|: 6 and 10, and 0 between
    assert 0 <= min(slopes) < 1.5 and 8.5 < max(slopes) <= 10.01


def test_gradients_by_hand_in_the_order_critics_connectors_generators():
    gans = ring([0.1, 0.4], [2.0, -1.0], [0.6, 0.5], (1.0, 0.1, 0.01), rho=0.3)
    step(gans, np.ones((3, 2, 2, 1)))
    mean = np.array([0.15, 0.45])
    # the critics' slopes rise by the rate times what tells real from generated pixels
    slopes = np.array([2.0, -1.0]) + 0.1 * (1 - mean)
    found = [float(critic.weights[0][0, 0]) for critic in gans.critics]
    assert found == pytest.approx(slopes, rel=1e-5)
    # of 10 (2 |c| - 1)^2 by each of four equal slopes c: 10 * 2 (2 |c| - 1) / 2
    connectors = np.array([0.6, 0.5])
    connectors = connectors + 0.01 * (mean[::-1] - mean - 10 * (2 * connectors - 1))
    found = [float(connector.weights[0][0, 0]) for connector in gans.connectors]
    assert found == pytest.approx(connectors, rel=1e-4)
    # the generators' biases rise by the new slopes: of the critic, and rho of the connector
    biases = np.array([0.1, 0.4]) + slopes + 0.3 * connectors
    found = [float(generator.weights[1][0]) for generator in gans.generators]
    assert found == pytest.approx(biases, rel=1e-5)
    assert [student.averages for student in gans.students] == [1, 1]


# Steps --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("kind, batch", [(SAGAN, REAL), (ACGAN, (REAL, LABELS))])
def test_one_student_is_the_gan_alone_to_the_bit(kind, batch):
    data = tf.data.Dataset.from_tensors(batch).repeat(3)
    options = dict(average=0.9, augmentations=("translation",))
    gans = small(1, kind, **options)
    [alone] = small(1, kind, **options).students
    results = []
    for model in (gans, alone):
        optimizers = [keras.optimizers.SGD(0.1, 0.9) for _ in range(2)]
        model.compile(*optimizers, run_eagerly=kind is ACGAN)
        history = model.fit(data, verbose=0, shuffle=False).history
        results.append({name.removeprefix("student1_"): v for name, v in history.items()})
    assert results[0] == results[1]
    assert alone.generator.weights[0].shape == (5 if kind is SAGAN else 7, 64)
    [student] = gans.students
    for ours, theirs in zip(student.weights, alone.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)
    optimizers = zip(gans.optimizers.items(), alone.optimizers.items(), strict=True)
    for (name, ours), (other, theirs) in optimizers:
        assert name == other
        for variable, expected in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(variable, expected, err_msg=variable.path)


def test_each_optimizer_moves_its_own_networks():
    gans = small(2, attention=None)
    kinds = gans.generators, gans.critics, gans.connectors
    for moving in range(3):
        for number, optimizer in enumerate(gans.optimizers.values()):
            optimizer.learning_rate = 0.1 * (number == moving)
        before = [[values(n.trainable_variables) for n in networks] for networks in kinds]
        step(gans)
        for number, (networks, olds) in enumerate(zip(kinds, before)):
            for network, old in zip(networks, olds):
                for variable, value in zip(network.trainable_variables, old):
                    if "self_attention" in variable.path and "kernel" in variable.path:
                        continue  # gamma moves first, then what it multiplies
                    last_bias = variable is network.weights[-1] and number > 0
                    changed = not np.array_equal(variable, value)
                    assert changed == (number == moving and not last_bias), variable.path


def test_rho_0_leaves_the_students_alone_with_each_other():
    together, apart = small(2, rho=0.0), small(2, rho=0.0)
    step(together)
    latents = apart.students[0].sample_latents(REAL)
    for student in apart.students:
        student.sample_latents = lambda batch: latents
        student.compile(*(keras.optimizers.SGD(0.1) for _ in range(2)))
        student.train_step(REAL)
    for ours, theirs in zip(together.students, apart.students):
        for weight, expected in zip(
            ours.trainable_variables, theirs.trainable_variables, strict=True
        ):
            np.testing.assert_allclose(weight, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("count", [1, 2])
def test_images_are_made_once_a_step(count, monkeypatch):
    gans = small(count)
    made = []

    def count_calls(network):
        call = network.call
        monkeypatch.setattr(
            network, "call", lambda *args, **kw: made.append(network) or call(*args, **kw)
        )

    for generator in gans.generators:
        count_calls(generator)
    step(gans)
    assert made == gans.generators
    if count == 1:
        made.clear()
        gans.students[0].compile(*(keras.optimizers.SGD(0.0) for _ in range(2)))
        gans.students[0].train_step(REAL)
        assert made == gans.generators


def test_u_of_every_network_advances_once_a_step():
    gans = small(2, attention=None)  # the default has some
    networks = [*gans.generators, *gans.critics, *gans.connectors]

    def us(network):
        return [p.u for p in network._flatten_layers() if isinstance(p, SpectralNorm)]

    expected = []
    for network in networks:
        copy = keras.models.clone_model(network)
        copy.set_weights(network.get_weights())
        update_spectral_norms(copy)
        expected += us(copy)
    step(gans)
    found = [u for network in networks for u in us(network)]
    assert len(found) == 30
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_labels_in_a_column():
    found = [step(small(2, ACGAN), (REAL, labels)) for labels in (LABELS, LABELS[:, None])]
    assert found[0] == found[1]


@pytest.mark.slow
def test_five_acgans():
    gans = small(5, ACGAN)
    figures = step(gans, (REAL, LABELS))
    assert np.isfinite(list(figures.values())).all()
    assert [name for name in figures if name.startswith("student5")] == [
        "student5_critic_loss", "student5_class_loss", "student5_real_accuracy",
        "student5_generated_accuracy", "student5_generator_loss",
    ]  # fmt: skip
    images = gans([tf.zeros([2, 5]), tf.constant([0, 1])])
    assert [x.shape for x in images] == [(2, 16, 16, 3)] * 5


def test_variables_hold_all_that_a_checkpoint_needs():
    """That a resumed training ends with the same bits is tested with the script."""
    gans = small(2, average=0.99)
    networks = [*gans.generators, *gans.critics, *gans.connectors]
    networks += [student.averaged for student in gans.students]
    state = [weight for network in networks for weight in network.weights]
    state += [gans.seeds.state, *(student.seeds.state for student in gans.students)]
    assert {id(variable) for variable in state} <= {id(each) for each in gans.variables}


def test_optimizers_know_every_variable():
    gans = small(2)
    gans.compile(*(keras.optimizers.SGD(0.1, momentum=0.9) for _ in range(3)))
    for optimizer, networks in zip(
        gans.optimizers.values(), (gans.generators, gans.critics, gans.connectors), strict=True
    ):
        count = sum(len(network.trainable_variables) for network in networks)
        assert optimizer.built and len(optimizer.variables) == 2 + count
    assert list(gans.optimizers) == ["g_optimizer", "d_optimizer", "c_optimizer"]
    assert list(small(1).optimizers) == ["g_optimizer", "d_optimizer"]


def test_bad_arguments():
    students = [Plain(0.0, 1.0) for _ in range(3)]
    for connectors in ([], [linear(1.0)], [linear(1.0) for _ in range(4)]):
        with pytest.raises(ValueError, match=f"3 students, {len(connectors)} connectors"):
            OnlineDistillation(students, connectors, rho=0.1)
    with pytest.raises(ValueError, match="1 students, 1 connectors"):
        OnlineDistillation(students[:1], [linear(1.0)], rho=0.1)
    with pytest.raises(ValueError, match="0 students"):
        OnlineDistillation([], [], rho=0.1)
    with pytest.raises(ValueError, match="of its own"):
        OnlineDistillation(students[:2], [linear(1.0)] * 2, rho=0.1)
