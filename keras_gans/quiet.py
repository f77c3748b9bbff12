"""TensorFlow without the messages that its libraries print while they are loaded.

    from keras_gans.quiet import tensorflow as tf

has to come before anything else that imports TensorFlow.
"""

import importlib
import os

from keras_gans.stderr import stderr_hidden as stderr_hidden

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with stderr_hidden():
    tensorflow = importlib.import_module("tensorflow")
tensorflow.get_logger().setLevel("ERROR")
