"""keras_gans: five papers for people who work with images, on Keras 3 and TensorFlow.

    keras_gans.load("dscnn-photos")         a trained model, to be called on arrays
    keras_gans.dscnn.build_dscnn()          a paper's network, by room
    keras_gans.FRGAN(generator, ...)        a Keras model with the paper's training step

`__init__.pyi` lists all names. Each is imported when it is first used; TensorFlow is, too. If
Keras is imported before, `keras.models.load_model` knows our classes.
"""

import os
import sys

import lazy_loader

__version__ = "0.1.0"

# TensorFlow leaves oneDNN off on processors without AVX512_VNNI, BF16 or AMX, where its own
# kernels are slower. It reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

if sys.modules.get("keras"):
    from keras_gans import registered as registered
