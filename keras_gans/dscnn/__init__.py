"""DSCNN: the colour of the light in a photo (Wang and Shang, ICAART 2019)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
