"""The settings of `train_text2image.py`: the report's by default, reduced ones for CPUs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from keras_gans.errors import InputError
from keras_gans.files import check_folder
from keras_gans.training.schedule import Schedule
from keras_gans.training.settings import Precision, Replicas, Within

# What 2 cores train: small pictures, few filters, but more maps for the ConvLSTM to work on.
# The discriminator's verdict must be light: at a tenth of the distance's weight the pictures
# changed from word to word in the same way for every sentence.
REDUCED = dict(
    image_size=32, width=16, words=16, filters=16, adversarial_weight=0.003, batch_size=16,
    epochs=10, steps_per_epoch=500, learning_rate=2e-3,
)  # fmt: skip

# Without --data. CBOW, or fewer passes, give the names of colours vectors that are nearly alike
BUILT_IN = REDUCED | dict(
    words=25, skip_gram=True, word2vec_epochs=50, epochs=12, steps_per_epoch=100
)  # fmt: skip

# For photographs, on a GPU: shapes that XLA knows, and a verdict that asks for the sentence.
PHOTOGRAPHS = dict(
    width=32, filters=8, vector_size=100, skip_gram=True, word2vec_epochs=50,
    normalisation="filled", matching=True, augment=("color", "translation", "cutout"),
    average=0.999, learning_rate=5e-4, batch_size=16, epochs=12, steps_per_epoch=1000,
)  # fmt: skip

# The same for CPUs: 12 minutes on a core with AVX-512 for 9 words a sentence
REDUCED_PHOTOGRAPHS = PHOTOGRAPHS | dict(image_size=32, width=16, epochs=8, steps_per_epoch=500)


@dataclass(frozen=True)
class Config:
    """Trains a network that draws sentences, and measures it on captions kept from training."""

    data: Path | None = None
    """Folder of a data set. Without it: built-in flowers, reduced settings."""
    reduced: bool = False
    """A small network, and our settings where not given: for CPUs."""
    photographs: bool = False
    """Our settings for photographs where not given: for a GPU, with REDUCED for CPUs."""
    tag: str | None = None
    """Only images with this tag in index.csv, or this word in a caption."""
    flowers: Annotated[int, Within(40, 10**6)] = 2000
    """Built-in flowers to draw, where there is no DATA."""

    cluster: int | None = None
    """Only images of one cluster of VGG16's features, 0 the largest; None takes all."""
    components: Annotated[int, Within(1, 1000)] = 10
    """Clusters of the mixture."""
    vgg16: Path | None = None
    """VGG16's weights (vgg16_weights_tf_dim_ordering_tf_kernels.h5). Without it Keras fetches
    them, 528 MB."""

    words: Annotated[int, Within(2, 1000)] = 25
    """Slots of a sentence; longer ones are cut, shorter ones padded in front."""
    vector_size: Annotated[int, Within(1, 10**4)] = 400
    """Numbers of a word's vector."""
    vectors: Path | None = None
    """File of word vectors: word2vec, GloVe or gensim. Without it word2vec is trained on the
    training captions, and on nothing else."""
    trust_vectors: bool = False
    """Read VECTORS though it is a pickle (gensim's .kv and .model), which can run any code."""
    skip_gram: bool = False
    """Train word2vec as skip-gram instead of CBOW."""
    word2vec_epochs: Annotated[int, Within(1, 10**5)] = 20
    """Passes of word2vec over the captions."""

    model: Literal["full", "dcgan", "gnn"] = "full"
    """full: figure 2. dcgan: figure 1 from one vector. gnn: the same by Euclidean distance."""
    condition: Literal["word2vec", "sentence", "captions", "noise"] = "sentence"
    """The vector of dcgan and gnn: a word, a caption, all captions of an image, noise."""
    sentence: Literal["sum", "mean"] = "sum"
    """A caption's vector for them: the sum of its words', the report's on flowers, or the mean,
    which does not depend on how long the caption is."""
    image_size: Annotated[int, Within(8, 1024)] = 64
    width: Annotated[int, Within(1, 1024)] = 64
    """Filters of the generator's last hidden and the discriminator's first layer; the report
    does not say. 64 is DCGAN's."""
    convlstm: Literal["refined", "last", "penultimate"] = "refined"
    """Where the ConvLSTM stands: before two transposed convolutions of stride 1, as the last
    layer, or before the generator's last layer."""
    filters: Annotated[int, Within(1, 1024)] = 3
    """Channels of the maps that enter and leave the ConvLSTM."""
    normalisation: Literal["words", "slots", "filled", "conditional"] = "words"
    """Whose statistics batch normalisation takes: of all words of the batch, or of each place
    in the sentence. The report tried two layouts and found that both work. "filled", ours: as
    "words", with words again in the place of padding, so that XLA knows all shapes.
    "conditional", ours: and after the ConvLSTM scale and offset depend on the words so far."""
    real: Literal["random", "matching"] = "random"
    """The discriminator's real images: any, or those of the sentence."""
    euclidean: Literal["original", "penalty", "mean", "words"] = "original"
    """Distance to the real image: of the last word's image, the same weighted, of the mean of
    all words' images; "words", ours, the mean of their distances."""
    penalty: Annotated[float, Within(0, 1e6)] = 10.0
    """Weight in "penalty"; the report does not say."""
    adversarial_weight: Annotated[float, Within(0, 1e6)] = 1.0
    """Of the discriminator's verdict in the generator's loss."""
    blurred: bool = False
    """Blurred real images are fakes too."""
    matching: bool = False
    """Full only, ours: the discriminator sees the words so far, real images with those of
    another sentence are fakes, and the last word's image is judged, too (Reed et al. 2016)."""
    augment: tuple[Literal["color", "translation", "cutout"], ...] = ()
    """Full only, ours: random changes of all images that the discriminator sees."""
    average: Annotated[float, Within(0, 0.999999)] = 0.0
    """Full only, ours: decay of a moving average of the network's weights, which then draws,
    such as 0.999; 0 for none."""

    batch_size: Annotated[int, Within(2, 10**5)] = 64
    """Sentences in a step; the report does not say."""
    epochs: Annotated[int, Within(1, 10**6)] = 16
    """After how many the report shows its last pictures of the whole network."""
    steps_per_epoch: Annotated[int | None, Within(1, 10**7)] = None
    """By default as many as show every caption once."""
    learning_rate: Annotated[float, Within(1e-12, 100)] = 2e-4
    """Of Adam; the report does not say, 2e-4 and 0.5 are DCGAN's."""
    beta_1: Annotated[float, Within(0, 0.9999)] = 0.5

    score_captions: Annotated[int, Within(2, 10**7)] = 2000
    """Captions kept from training that are drawn to be measured, at most."""

    seed: Annotated[int, Within(0, 2**31 - 1)] = 0
    precision: Precision = "float32"
    deterministic: bool = True
    """The same bits from the same seed, and from a run that was resumed."""
    export: Path | None = Path("saved_models")
    """The model goes to EXPORT/text2image/VERSION, dcgan and gnn to EXPORT/text2image-dcgan and
    -gnn, those of built-in flowers to names with -synthetic; None exports nothing."""
    memory_limit: Annotated[int | None, Within(0, 10**8)] = None
    """If the images take more MiB than this, they lie in a temporary file (in
    TMPDIR, or else /var/tmp), and a batch is read at a time. None keeps them in memory."""
    replicas: Replicas = 1
    run_dir: Path | None = None
    """The run's folder; by default the next number in runs/train_text2image, a study's in
    runs/study_text2image."""
    resume: bool = False
    """Go on with the newest run (or RUN_DIR), which must have the same settings."""

    def preset(self) -> dict:
        """Defaults that these settings ask for."""
        if self.photographs:
            chosen = REDUCED_PHOTOGRAPHS if self.reduced else PHOTOGRAPHS
        else:
            chosen = BUILT_IN if self.data is None else REDUCED if self.reduced else {}
        trained = ("skip_gram", "word2vec_epochs", "vector_size") if self.vectors else ()
        return {name: value for name, value in chosen.items() if name not in trained}

    def schedule(self, count: int) -> Schedule:
        """How long a training on so many captions is."""
        return Schedule.over(count, self.batch_size, self.steps_per_epoch, self.epochs)

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        if self.image_size % 8:
            raise InputError(
                f"--image-size must be a multiple of 8. Received: {self.image_size}"
            )
        if self.cluster is not None and not 0 <= self.cluster < self.components:
            raise InputError(
                f"--cluster must be from 0 to {self.components - 1}. Received: {self.cluster}"
            )
        if self.data is None and (self.tag is not None or self.cluster is not None):
            raise InputError("--tag and --cluster need --data, the folder of a data set")
        if self.vgg16 and self.cluster is None:
            raise InputError("--vgg16 is for --cluster: give the number of one, 0 the largest")
        if self.vgg16 and not self.vgg16.is_file():
            raise InputError(f"{self.vgg16}: no such file: give VGG16's weights")
        if self.trust_vectors and not self.vectors:
            raise InputError("--trust-vectors is for --vectors: give a file")
        if self.vectors and self.skip_gram:
            raise InputError("--skip-gram is how vectors are trained: leave one out")
        if self.condition == "noise" and self.model == "gnn":
            raise InputError("--condition noise has no image of its own: gnn cannot learn")
        if self.blurred and self.model == "gnn":
            raise InputError("--blurred is for a discriminator: gnn has none")
        if self.photographs and self.data is None:
            raise InputError("--photographs needs --data, the folder of a data set")
        if self.normalisation == "conditional" and self.convlstm != "refined":
            raise InputError("--normalisation conditional is for --convlstm refined")
        if self.matching and (self.blurred or self.real == "matching"):
            raise InputError("--matching has fakes and real images of its own: leave out "
                             "--blurred and --real matching")  # fmt: skip
        if self.export:
            check_folder(self.export)


@dataclass(frozen=True, kw_only=True)
class StudyConfig(Config):
    """Compares what the report compares, each for as many steps. Nothing is exported."""

    study: tyro.conf.Positional[
        Literal["models", "convlstm", "normalisation", "sentence", "real"]
    ]
    """models: gnn, dcgan and full in the forms of EUCLIDEAN. convlstm: the places of the
    ConvLSTM. normalisation: both forms of NORMALISATION. sentence: dcgan and gnn from sums and
    means of words. real: the discriminator's real images."""

    def check(self) -> None:
        """Finds settings that do not go together, before anything is loaded or written."""
        super().check()
        if self.condition == "noise" and self.study == "models":
            raise InputError("--condition noise has no image of its own: gnn cannot learn")
        if self.matching and self.study == "real":
            raise InputError("--matching has real images of its own: leave it out")
