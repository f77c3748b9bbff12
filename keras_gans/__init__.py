"""keras_gans: five papers for people who work with images, on Keras 3 and TensorFlow."""

import os

__version__ = "0.1.0"

# TensorFlow leaves oneDNN off on processors without AVX512_VNNI, BF16 or AMX, where its own
# kernels take up to four times as long. It reads this when it is imported.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
