"""Section 2: the losses, the ramp of the consistency term, the training step."""

from keras_gans.training.device import xla

import keras
import tensorflow as tf
from keras import ops

from keras_gans import replicas
from keras_gans.losses import consistency, feature_matching, k_plus_one_adversarial
from keras_gans.training.average import averaged_copy, move_average
from keras_gans.training.model import StepModel, input_of
from keras_gans.training.precision import ready


def ramp_up(step: tf.Tensor | float, steps: int, maximum: float) -> tf.Tensor:
    """Weight w(t) of the consistency term (eq. 9): `maximum exp(-5 (1 - t)^2)`.

    t rises from 0 to 1 within `steps` and stays there. Laine and Aila's form; the paper says
    that the weight starts near 0, rises and becomes constant.

    Args:
        step: scalar tensor or number.
        steps: length of the ramp; 0 for none.
        maximum: w_max.

    Returns:
        float32 scalar.
    """
    if steps == 0:
        return ops.convert_to_tensor(maximum, "float32")
    t = ops.minimum(ops.cast(step, "float32") / steps, 1.0)
    return maximum * ops.exp(-5.0 * ops.square(1 - t))


def learning_rate(config, schedule) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """That of `Config`, for a `Schedule`: constant, or by `decay` a cosine that ends at 0."""
    if not config.decay:
        return config.learning_rate
    return keras.optimizers.schedules.CosineDecay(config.learning_rate, schedule.steps)


@keras.saving.register_keras_serializable(package="keras_gans")
class FRGAN(StepModel):
    """A generator, and a discriminator that is the classifier.

    A step updates the discriminator on labelled images (cross-entropy), on unlabelled and
    generated ones (real or not), and on two random views of the unlabelled ones, for which it
    should say the same; then the generator, on new z as in the paper's algorithm (k = 1).

    Args:
        generator, discriminator: from `build_generator` and `build_discriminator`.
        consistency_weight: w_max of eq. 9, such as 100/K for K classes (`Config`); 0 leaves the
            term and its second view out.
        ramp_steps: steps in which its weight rises.
        adversarial_weight: of eq. 6 in the discriminator's loss; 1 in the paper, 0.5 in
            Improved-GAN's code. 0 leaves the generator out, which is then not trained: with the
            consistency term alone, Laine and Aila's Pi-model.
        feature_matching: whether the generator matches mean features of real images, as in
            Improved-GAN, instead of the paper's loss.
        average: decay of a moving average of the discriminator's weights, in `averaged`; 0
            for none, as in the paper.
        seed: of z.

    Raises:
        ValueError: `consistency_weight` or `ramp_steps` below 0, `average` outside [0, 1).

    Example:

        gan = FRGAN(build_generator(), build_discriminator(), consistency_weight=10)
        gan.compile(keras.optimizers.Adam(3e-4, beta_1=0.5),
                    keras.optimizers.Adam(3e-4, beta_1=0.5))
        gan.fit(batches)  # of ((labelled, labels), views)

    labelled: float32 (M, S, S, C) in [-1, 1]; labels: int (M,) or (M, 1); views: float32
    (V, N, S, S, C), V = 2 random views of the same N unlabelled images (1 without the
    consistency term).
    """

    METRICS = ("loss", "supervised", "adversarial", "consistency", "generator_loss")

    def __init__(
        self,
        generator: keras.Model,
        discriminator: keras.Model,
        consistency_weight: float = 1.0,
        ramp_steps: int = 0,
        adversarial_weight: float = 1.0,
        feature_matching: bool = False,
        average: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        if not (consistency_weight >= 0 and ramp_steps >= 0):
            raise ValueError(
                "`consistency_weight` and `ramp_steps` must be at least 0. "
                f"Received: {consistency_weight}, {ramp_steps}"
            )
        super().__init__(**kwargs)
        self.generator, self.discriminator = generator, discriminator
        self.consistency_weight = consistency_weight
        self.ramp_steps = ramp_steps
        self.adversarial_weight = adversarial_weight
        self.feature_matching = feature_matching
        self.average = average
        self.averaged = averaged_copy(discriminator, average)
        if feature_matching:
            features = discriminator.get_layer("features").output
            self.features = keras.Model(discriminator.input, features, name="features")
        self.seed = seed
        self.seeds = keras.random.SeedGenerator(seed)
        self.accuracy = keras.metrics.SparseCategoricalAccuracy(name="labelled_accuracy")

    @property
    def trained(self):
        return {"g_optimizer": [self.generator], "d_optimizer": [self.discriminator]}

    @property
    def metrics(self):
        return [*self.trackers, self.accuracy]

    def call(self, images, training=False):
        """Logits of images (N, S, S, C), by the averaged weights if not training."""
        network = self.discriminator if training else self.averaged
        return network(images, training=training)

    def images_in(self, batch):
        return input_of(self.discriminator), [batch[0][0], batch[1]]

    def step(self, batch, training):
        (labelled, labels), views = batch[:2]
        labels, count = ops.reshape(labels, (-1,)), ops.shape(views)[1]
        images = [labelled, *self._unstacked(views)]
        if self.adversarial_weight:
            images.append(self.generator(self.latents(count), training=training))
        others = len(images) - 1
        with tf.GradientTape() as tape:
            with replicas.stacked(ops.shape(labels)[0], *[count] * others):
                logits = self.discriminator(ops.concatenate(images), training=training)
            on_labelled, on_others = logits[: -others * count], logits[-others * count :]
            supervised = ops.mean(
                ops.sparse_categorical_crossentropy(labels, on_labelled, from_logits=True)
            )
            loss, adversarial, difference = supervised, tf.zeros([]), tf.zeros([])
            if self.adversarial_weight:
                adversarial = k_plus_one_adversarial(on_others[:count], True)
                adversarial += k_plus_one_adversarial(on_others[-count:], False)
                loss += self.adversarial_weight * adversarial
            if self.consistency_weight:
                difference = consistency(on_others[:count], on_others[count : 2 * count])
                loss += difference * ramp_up(
                    self.d_optimizer.iterations, self.ramp_steps, self.consistency_weight
                )
        if training:
            self.minimize("d_optimizer", loss, tape)
        if training and self.average:
            weights = (
                network.trainable_variables for network in (self.averaged, self.discriminator)
            )
            move_average(*weights, self.average, self.d_optimizer.iterations)

        generator_loss = tf.zeros([])
        if self.adversarial_weight:
            z = self.latents(count)
            with tf.GradientTape() as tape:
                generated = self.generator(z, training=training)
                generator_loss = self._generator_loss(generated, views[0], training)
            if training:
                self.minimize("g_optimizer", generator_loss, tape)
        self.accuracy.update_state(replicas.gather(labels), replicas.gather(on_labelled))
        return loss, supervised, adversarial, difference, generator_loss

    def _unstacked(self, views):
        """The views as a list; if their number is not static, it is the one that is needed."""
        needed = 2 if self.consistency_weight else 1
        found = views.shape[0] or needed
        if found < needed:
            raise ValueError(
                f"two views are needed with consistency_weight > 0. Received: {found}"
            )
        return ops.unstack(views, found)

    def share(self, batch, number, of):
        labelled, views = batch[:2]
        return super().share(labelled, number, of), tf.split(views, of, axis=1)[number]

    def latents(self, count: int) -> tf.Tensor:
        """z (count, latent), uniform in [-1, 1] (section 2.2)."""
        length = self.generator.input_shape[1]
        return replicas.share(
            lambda count: keras.random.uniform((count, length), -1.0, 1.0, seed=self.seeds),
            count,
        )

    def _generator_loss(self, generated, real, training):
        if not self.feature_matching:
            logits = self.discriminator(generated, training=training)
            return k_plus_one_adversarial(logits, True)
        count = ops.shape(generated)[0]
        with replicas.stacked(count, count):
            both = self.features(ops.concatenate([real, generated]), training=training)
        return feature_matching(tf.stop_gradient(both[:-count]), both[-count:])


def compile_labels_only(
    network: keras.Model,
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule,
    beta_1: float = 0.5,
    clip: float | None = None,
    average: float = 0.0,
) -> None:
    """Compiles a discriminator to be trained on labels alone, FR-GAN's baseline.

    `fit` then takes batches of labelled images float32 (M, S, S, C) in [-1, 1] and labels (M,).

    Args:
        network: from `build_discriminator`.
        learning_rate, beta_1: of Adam.
        clip: largest norm of the gradient; `None` for no limit.
        average: decay of a moving average of the weights, which take its values at the end of
            `fit`; 0 for none.
    """
    moving = {"use_ema": True, "ema_momentum": average} if average else {}
    optimizer = keras.optimizers.Adam(learning_rate, beta_1, global_clipnorm=clip, **moving)
    network.compile(
        optimizer=ready(optimizer, [network]),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="labelled_accuracy")],
        jit_compile=xla(),
    )
