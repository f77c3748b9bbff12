"""Section 5 (1): the "generative neural network", trained by Euclidean distance alone."""

import keras
import tensorflow as tf

from keras_gans.losses import euclidean_distance
from keras_gans.training.model import StepModel


@keras.saving.register_keras_serializable(package="keras_gans")
class GNN(StepModel):
    """The generator of figure 1, trained to give the image that belongs to a vector.

    Args:
        generator: from `build_generator`.

    Example:

        gnn = GNN(build_generator())
        gnn.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
        gnn.fit(batches)  # of (vectors, images)

    vectors: float32 (B, D); images: float32 (B, S, S, 3) in [-1, 1].
    """

    METRICS = ("generator_loss",)

    def __init__(self, generator, **kwargs):
        super().__init__(**kwargs)
        self.generator = generator

    @property
    def trained(self):
        return {"g_optimizer": [self.generator]}

    def call(self, vectors, training=False):
        """The images of vectors."""
        return self.generator(vectors, training=training)

    def images_in(self, batch):
        return self.generator.outputs[0], [batch[1]]

    def step(self, batch, training):
        vectors, images = batch[:2]
        with tf.GradientTape() as tape:
            loss = euclidean_distance(self.generator(vectors, training=training), images)
        if training:
            self.minimize("g_optimizer", loss, tape)
        return (loss,)
