"""Arrays in files of NumPy and MATLAB. Nothing in them is run, however they were made."""

import math
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_gans.data.reading import Unsupported, reading
from keras_gans.errors import InputError


def read_npz(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads some arrays of an `.npz` file.

    Raises:
        InputError: the file cannot be read, is damaged or encrypted; an array is missing, or
            made of Python objects (pickles).
    """
    with reading(path, ".npz file"), zipfile.ZipFile(path) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        missing = [name for name in names if name not in members]
        if missing:
            has = ", ".join(members)[:200] or "nothing"
            raise InputError(f"{path}: no array {', '.join(missing)} (the file has {has})")
        arrays = {}
        for name in names:
            with archive.open(members[name]) as file:
                arrays[name] = _read_array(file, members[name].file_size)
    return arrays


def read_npy(path: Path) -> np.ndarray:
    """Reads the array of an `.npy` file.

    Raises:
        InputError: the file cannot be read, is damaged, or made of Python objects (pickles).
    """
    with reading(path, ".npy file"), open(path, "rb") as file:
        return _read_array(file, os.fstat(file.fileno()).st_size)


def _read_array(file, size):
    """The array of an open `.npy` file of `size` bytes, whose header is looked at first."""
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(file))
    if read_header is None:
        raise Unsupported("an array of a newer format: save it with np.savez")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise Unsupported(
                "Python objects (a pickle), which can run any code, are not read: save numbers "
                "and text alone"
            )
        if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize > size - file.tell():
            raise ValueError(shape)  # before so much memory is asked for
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)


# SciPy's reader does not check all that a damaged file says, and may end the whole process.
CHECK = (
    "import sys, warnings, scipy.io; warnings.simplefilter('ignore'); "
    "scipy.io.loadmat(sys.argv[1], appendmat=False, variable_names=sys.argv[2:])"
)


def _check_elsewhere(path, names):
    """Reads variables in a process of its own, which the file may end."""
    # -P: no module of the working folder is imported
    command = [sys.executable, "-P", "-c", CHECK, os.path.abspath(path), *names]
    code = subprocess.run(command, capture_output=True).returncode
    if code == -9:  # for want of memory
        raise MemoryError
    if code not in (0, 1):  # 1: an exception, which is raised here too
        raise ValueError(code)


def read_mat(
    path: Path, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Reads some variables of a MATLAB file (up to version 7).

    Raises:
        InputError: the file cannot be read, is damaged or of version 7.3; a variable of `names`
            is missing, or one is sparse.
    """
    import scipy.io  # not installed where models are only used
    import scipy.sparse

    with reading(path, "MATLAB file"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if scipy.io.matlab.matfile_version(path, appendmat=False)[0] == 2:
            raise Unsupported("a MATLAB 7.3 file (HDF5), which is not read: save it with -v7")
        wanted = [*names, *optional]
        _check_elsewhere(path, wanted)
        variables = scipy.io.loadmat(path, appendmat=False, variable_names=wanted)
    for name in names:
        if name not in variables:
            raise InputError(f"{path}: no variable {name}: restore the published file")
    for name, value in variables.items():
        if scipy.sparse.issparse(value):
            raise InputError(f"{path}: {name} is sparse: save it with full({name})")
    return {name: variables[name] for name in wanted if name in variables}
