"""Layers that Keras lacks, or computes slowly."""

from keras_gans.layers.batch_norm import FusedBatchNormalization
from keras_gans.layers.conv_lstm import PeepholeConvLSTM2D
from keras_gans.layers.instance_norm import InstanceNormalization
from keras_gans.layers.max_pool import max_pooling
from keras_gans.layers.max_unpool import IndexedMaxPooling2D, MaxUnpooling2D
from keras_gans.layers.noise import Dropout, GaussianNoise
from keras_gans.layers.reflection_pad import ReflectionPadding2D
from keras_gans.layers.self_attention import SelfAttention
from keras_gans.layers.slot_batch_norm import SlotBatchNormalization
from keras_gans.layers.spectral_norm import (
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    update_spectral_norms,
)
from keras_gans.layers.squeeze_excite import SqueezeExcite
from keras_gans.layers.weight_norm import (
    WeightNormConv2D,
    WeightNormConv2DTranspose,
    WeightNormDense,
    initialize_from_data,
)

__all__ = [
    "Dropout",
    "FusedBatchNormalization",
    "GaussianNoise",
    "IndexedMaxPooling2D",
    "InstanceNormalization",
    "MaxUnpooling2D",
    "PeepholeConvLSTM2D",
    "ReflectionPadding2D",
    "SelfAttention",
    "SlotBatchNormalization",
    "SpectralConv2D",
    "SpectralConv2DTranspose",
    "SpectralDense",
    "SqueezeExcite",
    "WeightNormConv2D",
    "WeightNormConv2DTranspose",
    "WeightNormDense",
    "initialize_from_data",
    "max_pooling",
    "update_spectral_norms",
]
