"""What this machine computes with; TensorFlow is imported only when it is asked about."""

import os
import platform
from pathlib import Path


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def processor() -> str:
    """Its name, as the system tells it."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text().splitlines()
        names = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
        if names:
            return names[0].strip()
    return platform.processor() or platform.machine()


def onednn() -> bool:
    """Whether TensorFlow computes with oneDNN, which it decides when it is imported."""
    try:
        from tensorflow.python.util._pywrap_util_port import IsMklEnabled
    except ImportError:  # no public name tells
        return os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1"
    return IsMklEnabled()
