"""The settings of `train_defectgan.py`: the paper's by default, reduced ones for CPUs."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from keras_gans.defectgan.levels import CalibrationRule
from keras_gans.defectgan.surfaces import Surfaces
from keras_gans.defectgan.view import View
from keras_gans.errors import InputError
from keras_gans.files import check_folder
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Precision, Replicas, Within

# What 2 cores train in minutes
REDUCED = dict(
    channels=None, image_size=96, crops=True, width=16, blocks=3, critic_width=16,
    residual=True, change_weight=5.0, candidates=4, patch_share=0.04, weak_labels=True,
    critic_warmup=1000, batch_size=4, epochs=25, steps_per_epoch=100, learning_rate=5e-4,
    critic_learning_rate=3e-4, mirror="both", relight=0.5, baseline_width=16,
    segnet_steps=800, segnet_stages=4, cam_steps=800, cam_stages=3,
)  # fmt: skip

# Masks by attention, what a core with AVX-512 trains in 10 minutes; chosen by validation items
ATTENTION = dict(
    channels=None, image_size=96, crops=True, flatten=None, width=12, critic_width=16,
    candidates=4, patch_share=0.001, margin=2.0, identity_weight=0.8, critic_scales=2,
    drawn_defects=None,
    critic_epochs=3, batch_size=2, epochs=9, steps_per_epoch=300, average=0.998,
    learning_rate=5e-4, critic_learning_rate=3e-4, mirror="both",
    calibration=CalibrationRule(quantile=0.999, reach=16, share=0.25, dilation=0),
    baseline_width=16, baseline_batch_size=8, segnet_steps=700, segnet_stages=4,
    cam_steps=300, cam_stages=3,
)  # fmt: skip

# Without --data
BUILT_IN = REDUCED | dict(
    image_size=80, critic_warmup=400, epochs=12, mirror="turn", relight=0.0, segnet_steps=500,
    segnet_stages=3, cam_steps=300,
)  # fmt: skip

WARMUP_RATE = 1e-3


@dataclass(frozen=True)
class Config:
    """Trains DefectGAN, measures it beside SegNet and CAM (table V) and exports it."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in synthetic surfaces, reduced settings."""
    reduced: bool = False
    """A small network and our additions to the losses, where not given: for CPUs."""
    design: Literal["paper", "attention"] = "paper"
    """ "attention": the generators give a content and a mask of where it goes, and one critic
    judges the crops of an image together (ours); with its own settings, where not given."""
    types: tuple[str, ...] = ()
    """The types of defects to train and test on; all where none is given."""
    hold_out: str | None = None
    """A type of defect that is taken out of training and only tested (claim 3)."""
    test_share: Annotated[float, Within(0, 0.9)] = 0.3
    """Part of each kind of image for testing, where the set has no split of its own."""

    channels: Literal[1, 3] | None = 3
    """Of the networks; grey images are repeated for 3. None: as many as the images have."""
    image_size: Annotated[int, Within(32, 4096)] = 256
    """Side of what training draws, and of the detection's tiles."""
    crops: bool = False
    """Train on crops that show much of an image, instead of whole images, as in the paper."""
    reduce: Annotated[int | None, Within(1, 64)] = None
    """Whole factor by which images are reduced before all else; masks come back at full size.
    None: the least at which the largest image fits IMAGE_SIZE, where its mirror image fills
    what is left; with CROPS, one at which a crop shows much of an image."""
    flatten: Annotated[int | None, Within(0, 4096)] = 0
    """Flat-field correction before all else: the mean of so many pixels to every side is taken
    off, their standard deviation divided by (ours). 0 for none, 4096 for the mean of an image;
    None: 16 where the light within the images varies more than the texture, else 4096."""
    width: Annotated[int, Within(1, 1024)] = 64
    """Filters of the generators' first convolution."""
    blocks: Annotated[int, Within(1, 100)] = 9
    critic_width: Annotated[int, Within(1, 1024)] = 64
    critic: Literal["patch", "local"] = "patch"
    """The discriminators: the paper's, of patches of 70 pixels, or one of 16 (ours)."""
    residual: bool = False
    """The generators give the change of the image, at first none (ours)."""

    adversarial: Literal["log", "least-squares"] = "log"
    cycle_weight: Annotated[float, Within(0, 1e6)] = 10.0
    identity_weight: Annotated[float, Within(0, 1e6)] = 0.0
    """CycleGAN's identity loss, as a share of the cycle's weight; CycleGAN has 0.5. Attention:
    of the 1 % of a good image's values that G1 changes most, and of the 1 % that differ most
    from it after G2 spoiled and G1 cleaned it."""
    change_weight: Annotated[float, Within(0, 1e6)] = 0.0
    """Of the mean absolute change the generators make (ours)."""
    pool: Annotated[int, Within(0, 10**5)] = 0
    """Generated images that each discriminator sees again; CycleGAN has 50."""
    candidates: Annotated[int | None, Within(1, 1000)] = 1
    """Crops drawn for each that the generators train on, the least clean one (ours). None: as
    many as cover the median image as it is, 4 to 16."""
    patch_share: Annotated[float, Within(1e-6, 1)] = 1.0
    """Share of an image's patches that the adversarial losses look at, the worst (ours)."""
    margin: Annotated[float | None, Within(0, 100)] = None
    """Patches count relative to their image's mean, which defects exceed by so much (ours)."""
    cleaned_share: Annotated[float, Within(1e-6, 1)] = 0.03
    """Attention: share of a crop's patches that G1 is to clean, each by itself."""
    mask_weight: Annotated[float, Within(0, 1e6)] = 3.0
    """Attention: of the masks' means, which keeps them small."""
    binary_weight: Annotated[float, Within(0, 1e6)] = 0.5
    """Attention: of the masks' m (1 - m), which makes them binary."""
    agreement_weight: Annotated[float, Within(0, 1e6)] = 1.0
    """Attention: G1 takes a defect away where G2 put it on."""
    mask_warmup: Annotated[int, Within(1, 10**7)] = 60
    """Attention: steps of the generators over which MASK_WEIGHT rises from 0."""
    average: Annotated[float, Within(0, 0.999999)] = 0.0
    """Attention: decay of a moving average of G1's weights, which then cleans; 0 for none."""
    critic_scales: Annotated[int, Within(1, 4)] = 1
    """Attention: scales at which the critic judges, each half as large as the one before."""
    weak_labels: bool = False
    """The discriminators also learn to tell real NG from real P (ours)."""
    critic_warmup: Annotated[int, Within(0, 10**7)] = 0
    """First steps, in which the discriminators alone learn that (ours); not of attention."""
    critic_epochs: Annotated[int, Within(0, 10**6)] = 0
    """Attention: epochs before the others, in which the critic alone learns that; up to five
    times as many, until it does (ours)."""

    batch_size: Annotated[int, Within(1, 10**4)] = 1
    epochs: Annotated[int, Within(1, 10**6)] = 200
    steps_per_epoch: Annotated[int | None, Within(1, 10**7)] = None
    """By default as many as train the generators once for each image of the larger class."""
    learning_rate: Annotated[float, Within(1e-12, 100)] = 2e-4
    critic_learning_rate: Annotated[float | None, Within(1e-12, 100)] = None
    """By default LEARNING_RATE. In the warm-up it is 1e-3."""
    mirror: Literal["none", "horizontal", "both", "turn"] = "horizontal"
    """Crops are mirrored at random (as CycleGAN's); "turn" also turns them by 90 degrees, for
    surfaces that look the same then."""
    relight: Annotated[float, Within(0, 1)] = 0.0
    """Strength of random changes of the crops' light, so that the light does not tell the
    classes apart (ours)."""

    drawn_defects: Annotated[float | None, Within(0, 1000)] = 0.0
    """Defects drawn on good images, so many for each defective one, train as such (ours).
    None: 1 where FLATTEN takes a local mean off, else 0."""

    guided: bool = False
    """When used, little of G1's change counts where nothing stands out to D_P (ours)."""
    calibration: CalibrationRule = field(default_factory=CalibrationRule)
    """How the mask's thresholds are chosen, from training images without masks."""

    baselines: bool = True
    """Train SegNet (on masks, where there are any) and CAM (on labels) beside it."""
    baseline_width: Annotated[int, Within(1, 1024)] = 64
    baseline_batch_size: Annotated[int, Within(2, 10**4)] = 16
    baseline_learning_rate: Annotated[float, Within(1e-12, 100)] = 1e-3
    segnet_steps: Annotated[int, Within(1, 10**8)] = 20_000
    segnet_stages: Annotated[int, Within(1, 5)] = 5
    cam_steps: Annotated[int, Within(1, 10**8)] = 20_000
    cam_stages: Annotated[int, Within(1, 5)] = 4

    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    precision: Precision = "float32"
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/defectgan/VERSION, those of built-in surfaces to
    EXPORT/defectgan-synthetic; None exports nothing."""
    replicas: Replicas = 1
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_defectgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        if self.design == "attention":
            return ATTENTION
        if self.data is None:
            return BUILT_IN
        return REDUCED if self.reduced else {}

    def check(self) -> None:
        """Finds settings that no type can check, before anything is loaded or written."""
        for name, multiple in (("image_size", 4), ("baseline_batch_size", 2)):
            value = getattr(self, name)
            if value % multiple:
                raise InputError(
                    f"--{name.replace('_', '-')} must be a multiple of {multiple}. "
                    f"Received: {value}"
                )
        attention = self.design == "attention"
        if self.critic_warmup if attention else self.critic_epochs:
            raise InputError(
                "--critic-epochs is for --design attention, --critic-warmup for the other. "
                f"Received: --critic-{'warmup' if attention else 'epochs'}"
            )
        multiple = 2 ** (self.critic_scales + 1)
        if self.image_size % multiple:
            raise InputError(
                f"--image-size must be a multiple of {multiple} for --critic-scales "
                f"{self.critic_scales}. Received: {self.image_size}"
            )
        if self.export:
            check_folder(self.export)  # now, not after hours of training

    def schedule(self, training: Surfaces) -> Schedule:
        """How long DefectGAN is trained on these images."""
        largest = int(np.bincount(training.defective).max())
        return Schedule.over(largest, self.batch_size, self.steps_per_epoch, self.epochs)

    @property
    def critic_rate(self) -> float:
        """The discriminators' learning rate after the warm-up."""
        return self.critic_learning_rate or self.learning_rate

    @property
    def view(self) -> View:
        """How the generator sees images when used; `reduce` is known once the images are.

        With attention tiles are twice as large as crops: nothing is normalised over a tile, and
        fewer borders, which it cannot see beyond, are better.
        """
        tile = self.image_size * (2 if self.design == "attention" else 1)
        return View(tile, reduce=self.reduce, flatten=self.flatten)

    @property
    def bag(self) -> int:
        """Crops of one image that training draws at a time."""
        return self.candidates if self.design == "attention" else 1
