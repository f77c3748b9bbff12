"""Layers that Keras lacks, or has but slowly.

Instance normalisation is not among them: it is
`keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)`.
"""

from keras_gans.layers.batch_norm import FusedBatchNormalization
from keras_gans.layers.spectral_norm import (
    SpectralConv2D,
    SpectralConv2DTranspose,
    SpectralDense,
    update_spectral_norms,
)
from keras_gans.layers.weight_norm import (
    WeightNormConv2D,
    WeightNormConv2DTranspose,
    WeightNormDense,
    initialize_from_data,
)

__all__ = [
    "FusedBatchNormalization",
    "SpectralConv2D",
    "SpectralConv2DTranspose",
    "SpectralDense",
    "WeightNormConv2D",
    "WeightNormConv2DTranspose",
    "WeightNormDense",
    "initialize_from_data",
    "update_spectral_norms",
]
