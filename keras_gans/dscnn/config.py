"""The settings of `train_dscnn.py`: the paper's by default, short ones for what is built in."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from keras_gans.errors import InputError
from keras_gans.files import check_folder
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Precision, Replicas, Within


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training patch, all of them ours: the paper has none.

    Attributes:
        crop: smallest side of the random square crop, as a share of the patch; the crop is
            scaled back to the patch's size. 1 means no crops.
        flip: mirror at random in both directions; transpose whole batches at random.
        relight: share of the patches whose light is replaced: from its own to a random
            geometric mix of two lights of the training set, seen by the same camera.
        jitter: standard deviation of the log of each channel of the new light.
        brighten: largest factor by which a patch is brightened at random and clipped at
            white; 1 means none. For scenes whose clipped highlights would otherwise show
            the light that was put on them.
        cameras: share of the patches that are shown as a virtual camera would record them, so
            that the network meets responses to colour which no camera of the set has.
        mix: how far the channels of a virtual camera run into each other: each off-diagonal
            entry of its matrix is normal with a standard deviation of up to this.
        gains: standard deviation of the log of its channels' gains.
    """

    crop: Annotated[float, Within(0.05, 1)] = 0.5
    flip: bool = True
    relight: Annotated[float, Within(0, 1)] = 0.7
    jitter: Annotated[float, Within(0, 1)] = 0.03
    brighten: Annotated[float, Within(1, 100)] = 1.0
    cameras: Annotated[float, Within(0, 1)] = 0.0
    mix: Annotated[float, Within(0, 0.3)] = 0.17
    gains: Annotated[float, Within(0, 1)] = 0.15


# Without --data: what fits into 3 minutes on 2 cores
BUILT_IN_SCENES = 400
SHORT = dict(
    encoding="gamma",
    patches=7000,
    validation_share=0.1,
    batch_size=64,
    epochs=8,
    schedule="cosine",
    learning_rate=2e-3,
    augment=True,
)

# With --any-camera: 22 minutes a training on a core with AVX-512
ANY_CAMERA = SHORT | dict(
    patches=20_000,
    validation_share=0.0,
    halved=48,
    epochs=10,
    learning_rate=6e-3,
    bn_momentum=0.99,
    augmentation=Augmentation(cameras=0.6, mix=0.12, gains=0.12),
)

# With --photos: no new lights, since the traces of JPEG would turn with them
PHOTOS = ANY_CAMERA | dict(patches=45_000, augmentation=Augmentation(crop=1.0, relight=0.0))


@dataclass(frozen=True)
class Config:
    """Trains DSCNN, measures it beside the grey-world family and exports it."""

    data: tuple[Path, ...] = ()
    """The reprocessed Color Checker, an .npz, or a folder of linear images with a CSV; several
    are trained on together. Without it: built-in synthetic scenes and, where not given,
    settings for a short run."""
    protocols: tuple[Literal["paper", "held-out", "unseen-camera"], ...] = (
        "paper",
        "held-out",
        "unseen-camera",
    )
    """With measured lights: how to train and test, see docs/dscnn.md. None of them trains only
    the model to export."""
    photos: bool = False
    """DATA is a folder of ordinary, well-balanced photos (8-bit, sRGB): each is saved anew
    under known colour casts. Trains a model for finished photos, tested on those held out,
    with settings of its own where none are given."""

    any_camera: bool = False
    """Settings for a model that meets cameras it was not trained on, where none are given: a
    long training, with virtual cameras (ours)."""

    patch_size: Annotated[int, Within(8, 4096)] = 64
    modules: Annotated[int, Within(1, 5)] = 4
    separable: bool = True
    skip: bool = False
    encoding: Literal["linear", "gamma"] = "linear"
    """What the network sees of a patch: linear values (the paper), or each patch divided by
    its maximum and raised to 1/2.2."""
    l2: Annotated[float, Within(0, 1000)] = 1e-4
    """Weight of the L2 penalty (the paper gives none)."""
    bn_momentum: Annotated[float, Within(0, 1)] = 0.9
    """Of the moving averages in batch normalisation (not in the paper)."""

    patches: Annotated[int, Within(1, 10**7)] = 20_000
    validation_share: Annotated[float, Within(0, 0.9)] = 1 / 3
    batch_size: Annotated[int, Within(1, 10**6)] = 128
    epochs: Annotated[int, Within(1, 10**6)] = 200
    """An epoch is as many steps as PATCHES patches take, also where there are fewer."""
    halved: Annotated[int, Within(0, 10**6)] = 0
    """Epochs before those, on patches averaged to half the size: each takes a quarter of the
    time (ours)."""
    schedule: Literal["paper", "cosine"] = "paper"
    learning_rate: Annotated[float, Within(1e-12, 100)] = 1e-3
    augment: bool = False
    """Augment in the held-out protocol and in the exported model; `paper` never does."""
    augmentation: Augmentation = field(default_factory=Augmentation)

    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    precision: Precision = "float32"
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/dscnn/VERSION, those of built-in scenes to EXPORT/dscnn-synthetic,
    of photos to EXPORT/dscnn-photos; None exports nothing."""
    replicas: Replicas = 1
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_dscnn, a study's in
    runs/study_dscnn."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""

    @property
    def measured_lights(self) -> bool:
        """Whether the scenes are worth both protocols: not built-in ones, nor photos."""
        return bool(self.data) and not self.photos

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        if self.photos:
            return PHOTOS
        if self.any_camera:
            return ANY_CAMERA
        return {} if self.data else SHORT

    def training_schedule(self) -> Schedule:
        """How long a training is."""
        share = 1 - self.validation_share
        steps = max(1, round(self.patches * share / self.batch_size))
        return Schedule(self.batch_size, steps, self.epochs)

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        if self.photos and not self.data:
            raise InputError("--photos needs --data, the folder of the photos")
        if self.photos and self.any_camera:
            raise InputError("--photos has settings of its own; leave out --any-camera")
        if self.halved and (self.patch_size < 16 or self.patch_size % 2):
            raise InputError(
                f"--halved needs an even --patch-size from 16 on. Received: {self.patch_size}"
            )
        if self.export:
            check_folder(self.export)  # now, not after hours of training


@dataclass(frozen=True)
class StudyConfig(Config):
    """Trains the variants of table 3, figure 7 and table 4, each with these settings."""
