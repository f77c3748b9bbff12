from .model import FRGAN as FRGAN
from .networks import build_discriminator as build_discriminator
from .networks import build_generator as build_generator
