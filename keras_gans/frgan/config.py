"""The settings of `train_frgan.py`: the paper's by default, reduced ones for CPUs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from keras_gans.errors import InputError
from keras_gans.files import check_folder
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Precision, Replicas, Within

# What 2 cores train in minutes: few steps, in which the adversarial loss must not drown the
# labels, and dropout costs a narrow network more than it gives. At this rate a single long
# gradient undoes the training, unless it is clipped
REDUCED = dict(
    width=16,
    generator_width=32,
    dropout=0.0,
    consistency_weight=10.0,
    adversarial_weight=0.05,  # on photographs more costs: chosen on held-out steel
    average=0.99,
    batch_size=50,
    epochs=40,
    steps_per_epoch=100,
    learning_rate=2e-3,
    clip=1.0,
)

# Without --data
BUILT_IN = REDUCED | dict(labels=100, epochs=20, adversarial_weight=0.25)

SHARES = (0, 10, 20, 30, 40, 50)  # percent of wrong labels, of figure 4


@dataclass(frozen=True)
class Config:
    """Trains FR-GAN, measures it beside the same network trained on the labels alone."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in street digits, reduced settings."""
    download: Literal["svhn"] | None = None
    """Fetch this set into DATA first (train and test, 246 MB)."""
    extra: bool = False
    """Use SVHN's extra images as well, without their labels."""
    reduced: bool = False
    """A small network, and our settings where not given: for CPUs."""
    labels: Annotated[int | None, Within(2, 10**9)] = 1000
    """Labelled images, spread evenly over the classes, drawn by the seed. None: all."""
    label_noise: Annotated[float, Within(0, 1)] = 0.0
    """Share of the labelled images that get a wrong label (figure 4)."""

    image_size: Annotated[int, Within(8, 1024)] = 32
    width: Annotated[int, Within(1, 1024)] = 64
    """Filters of the discriminator's first block."""
    generator_width: Annotated[int, Within(1, 1024)] = 128
    """Filters of the generator's last hidden layer."""
    latent: Annotated[int, Within(1, 10**4)] = 100
    se: bool = True
    """The squeeze-and-excitation block."""
    dropout: Annotated[float, Within(0, 0.99)] = 0.2
    noise: Annotated[float, Within(0, 10)] = 0.15
    """Standard deviation of the noise on the discriminator's images, as a share of one image's
    own: Laine and Aila whiten each image first, which makes that 1."""
    translate: Annotated[int, Within(0, 100)] = 2
    """Pixels by which an image is moved at most."""
    mirror: bool = False
    """Mirror images at random: for things that have no writing on them."""
    strong: bool = False
    """Change the colours of labelled images, and of one of the two views of unlabelled ones,
    and cut a square out of them."""

    consistency: bool = True
    """The term of equation 9."""
    consistency_weight: Annotated[float | None, Within(0, 1e6)] = None
    """w_max; by default 100/K for K classes, Laine and Aila's weight in the paper's terms."""
    ramp_epochs: Annotated[int | None, Within(0, 10**6)] = None
    """Epochs in which it rises; by default 80 of 300, or the same share of EPOCHS."""
    adversarial_weight: Annotated[float, Within(0, 1e6)] = 1.0
    """Of equation 6 in the discriminator's loss; 0.5 in Improved-GAN's code. 0 for no
    generator: what is left is Laine and Aila's Pi-model."""
    feature_matching: bool = False
    """The generator's loss of Improved-GAN instead of the paper's."""
    average: Annotated[float, Within(0, 0.999999)] = 0.0
    """Decay of a moving average of the classifier's weights, which is then what is tested and
    exported, such as 0.999; 0 for none."""

    batch_size: Annotated[int, Within(2, 10**5)] = 100
    epochs: Annotated[int, Within(1, 10**6)] = 300
    steps_per_epoch: Annotated[int | None, Within(1, 10**7)] = None
    """By default as many as show every image once."""
    learning_rate: Annotated[float, Within(1e-12, 100)] = 3e-4
    decay: bool = False
    """Lower it to 0 in the course of the training, as a cosine."""
    beta_1: Annotated[float, Within(0, 0.9999)] = 0.5
    """Of Adam; the paper does not say. 0.5 is DCGAN's and Improved-GAN's."""
    clip: Annotated[float | None, Within(1e-6, 1e6)] = None
    """Largest norm of the classifier's gradient; longer ones are scaled to it. None, as in the
    paper, for no limit."""

    baseline: bool = True
    """Train the same network on the labels alone, for the same number of steps, beside it."""
    supervised_only: bool = False
    """Train that alone; nothing is exported."""

    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    precision: Precision = "float32"
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """Models go to EXPORT/frgan-classifier/VERSION and EXPORT/frgan-generator/VERSION, those of
    built-in digits to names with -synthetic; None exports nothing."""
    memory_limit: Annotated[int | None, Within(0, 10**8)] = None
    """If the images in folders take more MiB than this, they lie in a temporary file (in
    TMPDIR, or else /var/tmp), and a batch is read at a time. None keeps them in memory."""
    replicas: Replicas = 1
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_frgan, a study's in
    runs/study_frgan."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        return BUILT_IN if self.data is None else REDUCED if self.reduced else {}

    def schedule(self, count: int) -> Schedule:
        """How long a training on so many images is."""
        return Schedule.over(count, self.batch_size, self.steps_per_epoch, self.epochs)

    @property
    def method(self) -> str:
        """What a training with these settings is called."""
        if self.supervised_only:
            return "labels only"
        return "FR-GAN" if self.adversarial_weight else "Pi-model"

    def ramp_steps(self, steps_per_epoch: int) -> int:
        """Steps in which the weight of the consistency term rises."""
        epochs = self.epochs * 80 / 300 if self.ramp_epochs is None else self.ramp_epochs
        return round(epochs * steps_per_epoch)

    def largest_weight(self, classes: int) -> float:
        """w_max of equation 9, for K classes. The paper gives none: this is its source's.

        With M labels among N images, Laine and Aila divide the sum of the labelled images'
        cross-entropy by the whole batch, which is M/N of its mean, and weigh the squared
        difference, averaged over the batch and the K classes, by 100 M/N. Here the
        cross-entropy is averaged over the labelled images, and the squared difference summed
        over the classes: the same ratio of the two is 100/K, whatever M is, also with all
        labels.
        """
        if not self.consistency:
            return 0.0
        return 100 / classes if self.consistency_weight is None else self.consistency_weight

    def label_counts(self) -> set[int | None]:
        """Numbers of labels that the runs need."""
        return {self.labels}

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        size = self.image_size
        if size % 8:
            raise InputError(f"--image-size must be a multiple of 8. Received: {size}")
        if self.data is None and (self.download or self.extra):
            raise InputError("--download and --extra need --data, the folder of the set")
        if not (self.adversarial_weight or self.consistency or self.supervised_only):
            raise InputError(
                "--adversarial-weight 0 and --no-consistency leave nothing but labels: give "
                "--supervised-only"
            )
        if self.translate > size:
            raise InputError(
                f"--translate must be at most --image-size, {size}. Received: {self.translate}"
            )
        if self.export:
            check_folder(self.export)


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Config):
    """Runs one of the paper's experiments, every variant once a seed. Nothing is exported."""

    study: tyro.conf.Positional[Literal["table-2", "table-3", "figure-4", "gan-share"]]
    rows: tuple[str, ...] = ()
    """Rows to train, by their names in the table; by default all. To share a study out among
    machines; runs of one in the folder of another are shown together."""
    seeds: Annotated[tuple[int, ...], Within(0, 2**31 - 1)] = (0, 1, 2)
    study_labels: Annotated[tuple[int, ...], Within(2, 10**9)] = (500, 1000)
    """Columns of table 3, and of gan-share."""
    score_images: Annotated[int, Within(10, 10**7)] = 10_000
    """Samples of which table 2 takes the Inception score, and real images; as many as there are
    to test on, if that is less."""
    inception: Path | None = None
    """The frozen Inception graph of 2015 (classify_image_graph_def.pb), which makes it *the*
    Inception score. Without it a classifier trained on all labels of the set takes its place,
    and the figure bears that name."""

    def label_counts(self) -> set[int | None]:
        """Numbers of labels that the runs need."""
        if self.study == "figure-4":
            return {None}
        return {self.labels} if self.study == "table-2" else set(self.study_labels)

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        super().check()
        if not self.adversarial_weight:
            raise InputError(
                "--adversarial-weight must be more than 0 in a study, whose rows say what has "
                "no generator. Received: 0"
            )
        for name in ("seeds", "study_labels"):
            if not getattr(self, name):
                raise InputError(
                    f"--{name.replace('_', '-')} must have a value. Received: none"
                )
