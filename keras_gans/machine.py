"""What this machine computes with; TensorFlow is imported only when it is asked about."""

import os


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def onednn() -> bool:
    """Whether TensorFlow computes with oneDNN, which it decides when it is imported."""
    try:
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled
    except ImportError:  # no public name tells
        return os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"
    return IsMklEnabled()
