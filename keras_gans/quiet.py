"""TensorFlow without the messages that its libraries print while they are loaded.

    from keras_gans.quiet import tensorflow as tf

has to come before anything else that imports TensorFlow.
"""

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def stderr_hidden() -> Iterator[None]:
    """Hides what native libraries print on stderr, whatever their log level."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with stderr_hidden():
    tensorflow = importlib.import_module("tensorflow")
tensorflow.get_logger().setLevel("ERROR")
