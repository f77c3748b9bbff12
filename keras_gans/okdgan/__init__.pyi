from .acgan import ACGAN as ACGAN
from .classifier import build_classifier as build_classifier
from .distillation import OnlineDistillation as OnlineDistillation
from .networks import build_critic as build_critic
from .networks import build_generator as build_generator
from .sagan import SAGAN as SAGAN
