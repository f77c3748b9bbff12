"""OKD-SAGAN and OKD-ACGAN: GANs that teach each other (Guo, Wang and Feng, CSAE 2021)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
