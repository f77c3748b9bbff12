"""White balance with LiteRT, NumPy and Pillow alone: python lite.py PHOTO.jpg CORRECTED.jpg"""

import sys
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image, ImageOps

MODEL = Path(__file__).parents[1] / "saved_models/dscnn-photos/dscnn-64-float32.tflite"


def shares(size):
    """What share of each of 64 parts of an axis each pixel is."""
    edges, pixel = np.linspace(0, size, 65), np.arange(size)
    part = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return np.maximum(part, 0) * 64 / size


photo = np.asarray(ImageOps.exif_transpose(Image.open(sys.argv[1])).convert("RGB")) / 255
linear = np.where(photo <= 0.04045, photo / 12.92, ((photo + 0.055) / 1.055) ** 2.4)
down, across = (shares(size) for size in linear.shape[:2])
small = np.einsum("ah,hwc,bw->abc", down, linear, across, optimize=True)
estimate = Interpreter(str(MODEL)).get_signature_runner()
found = estimate(images=small[None].astype(np.float32))
light, gains = found["illuminant"][0], found["gains"][0]  # less is taken out where it is unsure
white = np.clip(10 * linear.min(axis=2, keepdims=True) - 9, 0, 1)  # clipped white stays
linear = linear * gains * (1 - white) + white
srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
corrected = np.rint(np.clip(srgb, 0, 1) * 255).astype(np.uint8)
Image.fromarray(corrected).save(sys.argv[2], quality=95)
print("light (linear RGB of length 1):", *(f"{value:.6f}" for value in light))
