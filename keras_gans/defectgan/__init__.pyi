from .cam import build_cam as build_cam
from .model import DefectGAN as DefectGAN
from .networks import build_discriminator as build_discriminator
from .networks import build_generator as build_generator
from .networks import build_guided_generator as build_guided_generator
from .networks import build_local_discriminator as build_local_discriminator
from .segnet import build_segnet as build_segnet
