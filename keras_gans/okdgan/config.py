"""The settings of `train_okdgan.py`: the paper's by default, reduced ones for CPUs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from keras_gans.errors import InputError
from keras_gans.files import check_folder
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Precision, Replicas, Within

# What 2 cores train: narrow networks, attention where it costs little; critics, an average, and
# five times the paper's rates, with which samples show something soon
REDUCED = dict(
    width=16, attention=(8,), batch_size=25, steps=10_000, every=500, spectral_critic=False,
    acgan_loss="wasserstein", average=0.99, g_learning_rate=5e-4, d_learning_rate=2e-3,
    c_learning_rate=2.5e-4,
)  # fmt: skip

# Without --data
BUILT_IN = REDUCED | dict(
    count=1000, steps=1000, every=100, score_images=2000, classifier_epochs=15
)

# "Epochs" of section 4 are read as steps for both, as in much code of the time
PAPER = {"sagan": dict(batch_size=25, steps=50_000), "acgan": dict(batch_size=5, steps=3000)}


@dataclass(frozen=True)
class Config:
    """Trains GANs that teach each other, and measures them beside one that trains alone."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in concrete surfaces, reduced settings."""
    reduced: bool = False
    """Small networks and a short schedule where not given: for CPUs."""
    count: Annotated[int, Within(2, 10**7)] = 2642
    """Crops to draw, by the seed; fewer where there are not so many."""
    side: Annotated[int | None, Within(16, 10**5)] = None
    """Side in pixels of the squares in the photos, which are reduced to IMAGE_SIZE. By default
    most of what has the class, and IMAGE_SIZE in photos without classes."""
    classes: tuple[str, ...] | None = None
    """Of the data, those to take; by default all (of CODEBRIM, all defects)."""

    base: Literal["sagan", "acgan"] = "sagan"
    """What each student is. ACGAN makes images of a given class."""
    students: Annotated[int, Within(0, 99)] = 3
    """N; 0 trains the single GAN only."""
    rho: Annotated[float, Within(0, 1e6)] = 0.1
    """Weight of the connectors' scores in the generators' losses; the paper does not say."""
    single: bool = True
    """Train one GAN alone, for as many steps, beside them."""
    hold_out: Annotated[float, Within(0, 0.9)] = 0.0
    """Share of the photos, drawn by the seed, whose crops are kept from all training: the table
    then has the distances to them too, and the best student is chosen by these."""

    image_size: Annotated[int, Within(16, 1024)] = 64
    width: Annotated[int, Within(1, 1024)] = 64
    """Filters of the critic's first and of the generator's last hidden layer."""
    latent: Annotated[int, Within(1, 10**4)] = 128
    attention: tuple[int, ...] | None = None
    """Sides of the feature maps with self-attention; by default half of IMAGE_SIZE."""
    spectral_critic: bool = True
    """Spectral normalisation in critics and connectors too, not in the generators alone."""
    penalty: Annotated[float, Within(0, 1e6)] = 10.0
    """Of the gradients, in WGAN-GP: of critics (not ACGAN's with "log") and connectors."""
    acgan_loss: Literal["log", "wasserstein"] = "log"
    """That of ACGAN as published, or WGAN-GP as in SAGAN. The paper does not say which."""
    class_weight: Annotated[float, Within(0, 1e6)] = 1.0
    """Of the classes in ACGAN's loss."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Random changes of all that the critics see. Not in the paper."""
    mirror: bool = False
    """Mirror crops at random. Not in the paper."""
    average: Annotated[float, Within(0, 0.999999)] = 0.0
    """Decay of a moving average of the generators' weights, which then make the samples, such
    as 0.999; 0 for none, as in the paper."""

    batch_size: Annotated[int | None, Within(1, 10**5)] = None
    """By default 25, and 5 with ACGAN."""
    steps: Annotated[int | None, Within(1, 10**9)] = None
    """Of each generator, rounded up to a multiple of EVERY. By default 50,000, and 3000 with
    ACGAN."""
    every: Annotated[int, Within(1, 10**7)] = 1000
    """Steps after which figures and samples are written, and the state is saved: an epoch."""
    g_learning_rate: Annotated[float, Within(1e-12, 100)] = 1e-4
    d_learning_rate: Annotated[float, Within(1e-12, 100)] = 4e-4
    c_learning_rate: Annotated[float, Within(1e-12, 100)] = 5e-5
    """Of the connectors."""
    beta_1: Annotated[float, Within(0, 0.9999)] = 0.0
    beta_2: Annotated[float, Within(0, 0.9999)] = 0.9

    score_images: Annotated[int, Within(2, 10**7)] = 10_000
    """Samples of each generator of which the distances are taken."""
    inception: Path | None = None
    """The frozen Inception graph of 2015 (classify_image_graph_def.pb), for FID; or weights of
    keras.applications' InceptionV3 without top (.h5). The figures bear the network's name."""
    network: Path | None = None
    """Or a classifier of your own, as .keras file."""
    eyes: bool = True
    """Where neither is given, EfficientNet-Lite0 looks at the samples, if keras_gans[eyes] is
    installed; else, or with --no-eyes, a classifier trained here on the crops' classes."""
    classifier_epochs: Annotated[int, Within(1, 10**5)] = 30
    """Passes over the crops, of the classifier that is trained here."""

    seed: Annotated[int, Within(0, 10**6)] = 0
    precision: Precision = "float32"
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Generators go to EXPORT/okd-sagan-generator/VERSION (the best student) and
    EXPORT/okd-sagan-student-2/VERSION (the others), those of built-in surfaces to names with
    -synthetic; None exports nothing."""
    memory_limit: Annotated[int | None, Within(0, 10**8)] = None
    """If the crops take more MiB than this, they lie in a temporary file (in
    TMPDIR, or else /var/tmp), and a batch is read at a time. None keeps them in memory."""
    replicas: Replicas = 1
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_okdgan, a study's in
    runs/study_okdgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""

    @property
    def measured(self) -> bool:
        """Whether the distances of samples are taken; a study may leave them out."""
        return True

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        return BUILT_IN if self.data is None else REDUCED if self.reduced else {}

    def schedule(self) -> Schedule:
        """How long a training is."""
        paper = PAPER[self.base]
        batch_size = self.batch_size or paper["batch_size"]
        steps = self.steps or paper["steps"]
        every = min(self.every, steps)
        return Schedule(batch_size, every, -(-steps // every))

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        if self.students == 1:
            raise InputError("--students must be 2 or more, or 0 for none. Received: 1")
        if not self.students and not self.single:
            raise InputError("--students 0 and --no-single leave nothing to train; give one")
        size = self.image_size
        if size & (size - 1):
            raise InputError(f"--image-size must be 16, 32, 64, ... Received: {size}")
        sides = [side for side in (size // 2**i for i in range(1, 9)) if side > 4]
        if self.attention and not set(self.attention) <= set(sides):
            raise InputError(f"--attention must be of {sides}. Received: {self.attention}")
        if self.side is not None and self.side < size:
            raise InputError(f"--side must be {size} or more. Received: {self.side}")
        if self.inception and self.network:
            raise InputError("both --inception and --network are given: choose one")
        if self.data is None and (self.side or self.classes):
            raise InputError("--side and --classes need --data, the folder of the photos")
        if self.export:
            check_folder(self.export)


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Config):
    """Trains the GANs of `train_okdgan.py` for a study. Nothing is exported."""

    study: tyro.conf.Positional[Literal["rho", "augmentation", "purpose"]]
    """rho: trains students with each of RHOS. augmentation: does a classifier of defects gain
    by generated crops? purpose: does it, beyond what ordinary augmentation gives?"""
    rhos: Annotated[tuple[float, ...], Within(0, 1e6)] = (0.03, 0.1, 0.3, 1.0)
    few: Annotated[int, Within(2, 10**7)] = 200
    """Real crops that classifiers and their GANs are trained on, equally many of each class."""
    classifier_steps: Annotated[int, Within(1, 10**7)] = 2000
    """Of each classifier."""
    seeds: Annotated[tuple[int, ...], Within(0, 10**6)] = (0, 1, 2)
    """Of the classifiers; in the study of purpose also of the few crops and the GANs."""
    ordinary: tuple[Literal["color", "translation", "cutout"], ...] = ("translation", "cutout")
    """Ordinary augmentation of what the classifiers in the study of purpose see."""

    @property
    def measured(self) -> bool:
        return self.study == "rho"

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        few = dict(hold_out=0.3, base="acgan")
        of_study = {
            "rho": dict(hold_out=0.2),
            "augmentation": few,
            "purpose": few | dict(seeds=(0, 1, 2, 3, 4), average=0.999, students=0),
        }
        steps = dict(classifier_steps=500) if self.data is None else {}
        return of_study[self.study] | super().preset() | steps

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        super().check()
        if not self.hold_out:
            raise InputError(f"study {self.study} needs crops held out: give --hold-out")
        if self.study == "rho" and not self.students:
            raise InputError("study rho needs --students, 2 or more. Received: 0")
        if self.study != "rho" and self.base != "acgan":
            raise InputError(f"study {self.study} needs images of a given class: --base acgan")
        if self.study == "purpose" and self.students:
            raise InputError(f"study purpose has no --students. Received: {self.students}")
        if self.study == "purpose" and not self.average:
            raise InputError(
                "study purpose compares samples with and without --average. Received: 0"
            )
        for name in ("rhos", "seeds"):
            if not getattr(self, name):
                raise InputError(f"--{name} must have a value. Received: none")
