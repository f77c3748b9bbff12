from .estimate import correct as correct
from .estimate import estimate_images as estimate_images
from .networks import build_dscnn as build_dscnn
