"""keras_gans: five papers for people who work with images, on Keras 3 and TensorFlow."""

__version__ = "0.1.0"
