"""Camera raw files, read and developed by LibRaw (rawpy, of the extra "raw").

raw file -> the camera's own linear colours, half size (the light is estimated here)
         -> times the gains, through the camera's matrix to sRGB -> TIFF or JPEG
"""

import contextlib
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_gans.data.encoding import Encoding, srgb_profile
from keras_gans.data.metadata import read_metadata
from keras_gans.data.pixels import Rows, check_size
from keras_gans.data.reading import Unsupported, reading
from keras_gans.data.spaces import LINEAR
from keras_gans.data.squares import area_average
from keras_gans.data.write import write_image
from keras_gans.errors import InputError
from keras_gans.files import replacing
from keras_gans.stderr import stderr_hidden

SUFFIXES = (
    ".dng", ".nef", ".nrw", ".cr2", ".cr3", ".crw", ".arw", ".srf", ".sr2", ".raf", ".orf",
    ".rw2", ".pef", ".srw", ".x3f", ".3fr", ".fff", ".iiq", ".erf", ".mef", ".mos", ".mrw",
    ".kdc", ".dcr", ".rwl", ".raw",
)  # fmt: skip
QUIET = threading.Lock()  # one thread at a time has stderr closed
SRGB_TO_D65 = np.array(  # linear sRGB to XYZ, IEC 61966-2-1
    [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
)
SRGB_CURVE = (2.4, 12.92)  # as LibRaw takes it


def is_raw(path: Path) -> bool:
    """Whether a file's name is that of a camera's raw file."""
    return path.suffix.lower() in SUFFIXES


def raw_size(path: Path) -> tuple[int, int]:
    """(width, height) of a raw file, upright, from its header (raises `InputError`)."""
    with _opened(path, unpack=False) as file:
        return _size(path, file.sizes)


def open_raw(path: Path) -> "Raw":
    """Reads a raw file, upright.

    Raises:
        InputError: rawpy is missing; damaged, a camera or a form that LibRaw does not know,
            not of three colours.
    """
    file = _opened(path)
    if file.num_colors != 3:
        raise InputError(
            f"{path}: a raw file of {file.num_colors} colours, 3 are read: develop it first"
        )
    return Raw(path, file)


class Raw(Rows):
    """A raw file: rows of it are float32 (h, W, 3), the camera's linear colours, half size.

    Args:
        path: of the file.
        file: `rawpy.RawPy`, unpacked.
    """

    dtype = np.dtype(np.float32)
    encoding = Encoding(replace(LINEAR, name="camera raw"), "raw", "its kind of file")
    grey = False

    def __init__(self, path: Path, file):
        self.path, self.file, self.size = path, file, _size(path, file.sizes)
        light = self._developed(user_wb=[1] * 4, half_size=True, gamma=(1, 1), output_color=0)
        super().__init__(light.shape, lambda rows: LINEAR.decode(light[rows]))

    def _developed(self, output_bps=16, output_color=1, **settings):
        """An array, upright; no brightness is guessed."""
        import rawpy

        with reading(self.path, "raw file"):
            return self.file.postprocess(
                output_bps=output_bps,
                output_color=rawpy.ColorSpace(output_color),  # 0 the camera's own, 1 sRGB
                no_auto_bright=True,
                adjust_maximum_thr=0,
                **settings,
            )

    @property
    def as_shot(self) -> list[float] | None:
        """The gains that the camera chose; `None` if it tells none."""
        red, green, blue = self.file.camera_whitebalance[:3]
        known = min(red, green, blue) > 0
        return [round(red / green, 6), 1.0, round(blue / green, 6)] if known else None

    def averaged(self, height: int, width: int) -> np.ndarray:
        """Reduced by `area_average`, float32 (height, width, 3), the camera's colours."""
        return area_average(self, height, width)

    def developed(self, gains: np.ndarray | None = None) -> np.ndarray:
        """Half size, through the camera's matrix: float32 (h, W, 3), linear sRGB.

        `gains` are by default the camera's own.
        """
        red, green, blue = map(float, (self.as_shot or (1, 1, 1)) if gains is None else gains)
        wb = [red, green, blue, green]
        return LINEAR.decode(self._developed(user_wb=wb, half_size=True, gamma=(1, 1)))

    def panels(self, gains: np.ndarray, width: int, height: int) -> tuple:
        """(as shot, corrected), for the eye: float32 (height, width, 3), linear sRGB."""
        size = min(height, self.shape[0]), min(width, self.shape[1])
        return tuple(area_average(self.developed(each), *size) for each in (None, gains))

    def write(self, path: Path, gains: np.ndarray) -> None:
        """Develops it, through the camera's matrix, to a JPEG or a TIFF of 16 bits in sRGB.

        Raises:
            InputError: it is damaged, or cannot be written.
        """
        red, green, blue = map(float, gains)
        bits = 8 if path.suffix == ".jpg" else 16
        developed = self._developed(bits, user_wb=[red, green, blue, green], gamma=SRGB_CURVE)
        found = {"icc_profile": srgb_profile()}
        with contextlib.suppress(InputError, KeyError):  # not all raw files are TIFF
            found["exif"] = read_metadata(self.path)["exif"]
        write_image(path, developed, **found)

    def temperature(self, illuminant: np.ndarray) -> tuple[int, int] | None:
        """(kelvin, tint) of a light (3,) in the camera's colours, as Adobe counts them.

        It goes through the camera's matrix under daylight. The tint is 3000 times the distance
        from the curve of black bodies in CIE 1960 UCS; above 0 is greener. `None` without a
        matrix.
        """
        to_camera = self.file.rgb_xyz_matrix[:3].astype(np.float64)
        if to_camera.any():
            return temperature_of(np.linalg.solve(to_camera, illuminant))
        # of a DNG LibRaw tells a matrix from balanced colours, and what balances daylight
        to_srgb = self.file.color_matrix[:, :3].astype(np.float64)
        if not to_srgb.any():
            return None
        balanced = illuminant * np.array(self.file.daylight_whitebalance[:3])
        return temperature_of(SRGB_TO_D65 @ to_srgb @ balanced)

    def write_xmp(self, path: Path, illuminant: np.ndarray) -> bool:
        """Writes the white balance as a sidecar; `False` if the camera has no matrix."""
        found = self.temperature(illuminant)
        if found:
            with replacing(path) as temporary:
                temporary.write_text(XMP.format(*found), encoding="utf-8")
        return bool(found)


XMP = """<?xpacket begin="\N{BYTE ORDER MARK}" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about=""
    xmlns:crs="http://ns.adobe.com/camera-raw-settings/1.0/"
    crs:WhiteBalance="Custom"
    crs:Temperature="{}"
    crs:Tint="{:+d}"
    crs:HasSettings="True"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>
"""


def temperature_of(xyz: np.ndarray) -> tuple[int, int]:
    """(kelvin, 2000 to 50000; tint, -150 to 150) of a colour in XYZ, (3,)."""
    kelvin = np.geomspace(2000, 50000, 4000)
    curve = planckian(kelvin)
    x, y, z = xyz
    point = np.array([4 * x, 6 * y]) / (x + 15 * y + 3 * z)
    distance = np.hypot(*(curve - point).T)
    nearest = int(distance.argmin())
    side = 1 if point[1] > curve[nearest, 1] else -1  # above the curve it is greener
    tint = np.clip(side * 3000 * distance[nearest], -150, 150)
    return round(kelvin[nearest]), round(tint)


def planckian(kelvin: np.ndarray) -> np.ndarray:
    """(u, v) in CIE 1960 UCS of black bodies, (N, 2), by Planck's law.

    The observer is the fit of Wyman, Sloan and Shirley (JCGT 2013) to CIE 1931.
    """
    nm = np.arange(380, 781, 5.0)

    def bump(centre, below, above):
        return np.exp(-0.5 * ((nm - centre) * np.where(nm < centre, below, above)) ** 2)

    observer = np.stack([
        0.362 * bump(442.0, 0.0624, 0.0374) + 1.056 * bump(599.8, 0.0264, 0.0323)
        - 0.065 * bump(501.1, 0.0490, 0.0382),
        0.821 * bump(568.8, 0.0213, 0.0247) + 0.286 * bump(530.9, 0.0613, 0.0322),
        1.217 * bump(437.0, 0.0845, 0.0278) + 0.681 * bump(459.0, 0.0385, 0.0725),
    ])  # fmt: skip
    power = nm**-5 / np.expm1(1.438777e7 / (nm * kelvin[:, None]))
    x, y, z = observer @ power.T
    return np.stack([4 * x, 6 * y], axis=1) / (x + 15 * y + 3 * z)[:, None]


def _size(path, sizes):
    check_size(path, "raw file", sizes.width, sizes.height)
    size = sizes.width, sizes.height
    return size[::-1] if sizes.flip & 4 else size


def _opened(path, unpack=True):
    """`rawpy.RawPy` of a file, with its pixels or only its header."""
    try:
        import rawpy
    except ImportError:
        raise InputError(
            f'{path}: camera raw needs rawpy: pip install "keras_gans[raw]"'
        ) from None
    file = rawpy.RawPy()
    with reading(path, "raw file"), QUIET, stderr_hidden():
        try:
            file.open_file(str(path))
            if unpack:
                file.unpack()
        except rawpy.LibRawFileUnsupportedError:
            raise Unsupported("no raw file that LibRaw knows: convert it to DNG") from None
    return file
