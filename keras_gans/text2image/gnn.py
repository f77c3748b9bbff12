"""Section 5 (1): the "generative neural network", trained by Euclidean distance alone."""

import keras
import tensorflow as tf

from keras_gans.losses import euclidean_distance


class GNN(keras.Model):
    """The generator of figure 1, trained to give the image that belongs to a vector.

    Args:
        generator: from `build_generator`.

    Example:

        gnn = GNN(build_generator())
        gnn.compile(keras.optimizers.Adam(2e-4, beta_1=0.5))
        gnn.fit(batches)  # of (vectors, images)

    vectors: float32 (B, D); images: float32 (B, S, S, 3) in [-1, 1].
    """

    def __init__(self, generator):
        super().__init__()
        self.generator = generator
        self.tracker = keras.metrics.Mean(name="generator_loss")
        self.built = True  # the network is

    def compile(self, g_optimizer, **kwargs):
        super().compile(optimizer=None, **kwargs)
        self.g_optimizer = g_optimizer
        g_optimizer.build(self.generator.trainable_variables)

    @property
    def optimizers(self):
        """dict name -> optimizer, as checkpoints want them."""
        return {"g_optimizer": self.g_optimizer}

    @property
    def metrics(self):
        return [self.tracker]

    def call(self, vectors, training=False):
        return self.generator(vectors, training=training)

    def train_step(self, batch):
        vectors, images = batch[:2]
        with tf.GradientTape() as tape:
            loss = euclidean_distance(self.generator(vectors, training=True), images)
        variables = self.generator.trainable_variables
        self.g_optimizer.apply(tape.gradient(loss, variables), variables)
        self.tracker.update_state(loss)
        return {self.tracker.name: self.tracker.result()}
