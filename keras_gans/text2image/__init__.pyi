from .dcgan import DCGAN as DCGAN
from .gnn import GNN as GNN
from .model import TextToImage as TextToImage
from .networks import build_discriminator as build_discriminator
from .networks import build_generator as build_generator
from .networks import build_text_to_image as build_text_to_image
