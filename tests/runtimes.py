"""Exported files in the runtimes other than LiteRT's interpreter."""

import pytest

from keras_gans.export import runtimes

RUNTIMES = {"compiled": (), "openvino": ("openvino",), "onnx": ("tf2onnx", "onnxruntime")}


def opened(runtime, path):
    """A file as a function from named arrays to a dict of arrays."""
    for package in RUNTIMES[runtime]:
        pytest.importorskip(package, reason="pip install keras_gans[runtimes]")
    return getattr(runtimes, runtime)(path)
