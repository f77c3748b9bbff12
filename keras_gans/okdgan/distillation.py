"""Section 3.2: students that learn from each other through connectors in a ring."""

import keras
import tensorflow as tf
from keras import ops

from keras_gans.layers import update_spectral_norms
from keras_gans.okdgan.gan import images_of, wgan_gp_loss
from keras_gans.training.model import StepModel, input_of


@keras.saving.register_keras_serializable(package="keras_gans")
class OnlineDistillation(StepModel):
    """Trains N GANs together: generator i should also please connector i (eq. 6 to 8).

    Connector i tells the images of generator i ("generated") from those of generator i + 1
    ("real"), the last one's from the first one's. It is a critic of WGAN-GP whose penalty lies
    between these two; generator i minimises its own loss minus `rho` times the mean score that
    connector i gives its images.

    In a step all students get the same latents, the z of eq. 8, and each makes its images once:
    for its critic, its connector and its neighbour's. First all critics are updated, then all
    connectors, then, against these, all generators, whose recorded passes go on. One optimizer
    serves each kind of network: Adam has a state for each variable, so that this is the same as
    one for each network.

    A student is a `keras_gans.okdgan.gan.GAN`, or whatever offers the same: the networks
    `generator` and `critic`, `FIGURES`, `sample_latents(batch)` (the first student's are used),
    `critic_loss(batch, generated, training)`, `generator_loss(batch, generated, training)`,
    `move_average(step)` and, to be called, `averaged`. It need not be compiled, and after the
    training it is a GAN as if trained alone.

    Args:
        students: N of them, with networks and seeds of their own.
        connectors: N networks from images to scores (N, 1), `build_critic()`; none for one
            student, which then trains as it does alone.
        rho: weight of the connectors' scores; the paper does not give it.
        penalty: lambda of eq. 8.
        seed: of the connectors' interpolation.

    Raises:
        ValueError: if their numbers do not go together, or a network is given twice.

    Example, with the paper's optimizers (generators, critics, connectors):

        students = [SAGAN(build_generator(), build_critic(), seed=i) for i in range(3)]
        gans = OnlineDistillation(students, [build_critic() for _ in range(3)], rho=0.1)
        gans.compile(*(keras.optimizers.Adam(rate, 0.0, 0.9) for rate in (1e-4, 4e-4, 5e-5)))
        gans.fit(batches)  # as the students take them
    """

    def __init__(
        self,
        students: list,
        connectors: list[keras.Model],
        rho: float,
        penalty: float = 10.0,
        seed: int = 0,
        **kwargs,
    ):
        expected = len(students) if len(students) > 1 else 0
        if not students or len(connectors) != expected:
            raise ValueError(
                "one connector a student is needed, and none for a single one. Received: "
                f"{len(students)} students, {len(connectors)} connectors"
            )
        names = []
        for i, student in enumerate(students, 1):
            figures = "critic_loss", *student.FIGURES, "generator_loss"
            names += [f"student{i}_{name}" for name in figures]
        for i, _ in enumerate(connectors, 1):
            names += [f"connector{i}_loss", f"connector{i}_distance"]
        super().__init__(names, **kwargs)
        self.students, self.connectors = list(students), list(connectors)
        self.generators = [student.generator for student in students]
        self.critics = [student.critic for student in students]
        networks = [*self.generators, *self.critics, *self.connectors]
        if len({id(network) for network in networks}) < len(networks):
            raise ValueError("every student and connector needs networks of its own")
        self.rho = rho
        self.penalty = penalty
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)

    @property
    def trained(self):
        networks = {"g_optimizer": self.generators, "d_optimizer": self.critics}
        return networks | ({"c_optimizer": self.connectors} if self.connectors else {})

    def call(self, latents, training=False):
        """The images of all students, a list, by their averaged weights if not training."""
        if not training:
            return [student.averaged(latents, training=False) for student in self.students]
        return [generator(latents, training=True) for generator in self.generators]

    def images_in(self, batch):
        return input_of(self.critics[0]), [images_of(batch)]

    def step(self, batch, training):
        latents = self.students[0].sample_latents(batch)
        if training:
            advance_spectral_norms(self.generators)
        with tf.GradientTape() as g_tape:
            images = [generator(latents, training=training) for generator in self.generators]
        shown = [tf.stop_gradient(x) for x in images]

        if training:
            advance_spectral_norms(self.critics)
        with tf.GradientTape() as tape:
            critic_losses = [
                s.critic_loss(batch, x, training) for s, x in zip(self.students, shown)
            ]
            loss = sum(loss for loss, _ in critic_losses)
        if training:
            self.minimize("d_optimizer", loss, tape)

        connector_losses = []
        if self.connectors:
            if training:
                advance_spectral_norms(self.connectors)
            with tf.GradientTape() as tape:
                connector_losses = self.connector_losses(shown, training)
                loss = sum(loss for loss, _ in connector_losses)
            if training:
                self.minimize("c_optimizer", loss, tape)

        with g_tape:  # goes on recording
            generator_losses = self.generator_losses(batch, images, training)
            loss = sum(generator_losses)
        if training:
            self.minimize("g_optimizer", loss, g_tape)
            for student in self.students:
                student.move_average(self.g_optimizer.iterations)

        figures = []
        for (critic_loss, more), generator_loss in zip(critic_losses, generator_losses):
            figures += [critic_loss, *more, generator_loss]
        for loss_and_distance in connector_losses:
            figures += loss_and_distance
        return figures

    def generator_losses(
        self, batch, images: list[tf.Tensor], training: bool = True
    ) -> list[tf.Tensor]:
        """Eq. 7: each student's own loss minus `rho` times its connector's mean score.

        Args:
            batch: as the students take it.
            images: of each student, a list.
            training: how the networks are called.
        """
        losses = [s.generator_loss(batch, x, training) for s, x in zip(self.students, images)]
        for i, connector in enumerate(self.connectors):
            losses[i] -= self.rho * ops.mean(connector(images[i], training=training))
        return losses

    def connector_losses(
        self, images: list[tf.Tensor], training: bool = True
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """Eq. 8: of each connector the loss, and the distance it sees between its students.

        Args:
            images: of each student, a list.
            training: how the networks are called.
        """
        following = [*images[1:], images[0]]
        return [
            wgan_gp_loss(connector, real, generated, self.penalty, self.seeds, training)
            for connector, generated, real in zip(self.connectors, images, following)
        ]


def advance_spectral_norms(networks: list[keras.Model]) -> None:
    for network in networks:
        update_spectral_norms(network)
