"""Text to image: word2vec, DCGAN and a convolutional LSTM (Ouyang's research report)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
