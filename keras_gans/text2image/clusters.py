"""One kind of images out of a mixed set: VGG16 features, sorted by a mixture of Gaussians.

Section 3 of the report: DCGAN cannot learn Flickr30k as a whole, so one of ten clusters is
chosen to train on.
"""

import warnings
from pathlib import Path

import h5py
import keras
import numpy as np
import tensorflow as tf
from rich.console import Console
from rich.progress import track
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from keras_gans.data.reading import check_regular
from keras_gans.errors import InputError

VGG16_SIZE = 224  # side of the images that the network takes
VGG16_LAYER = "fc1"  # the first fully connected layer, after its ReLU
DIRECTIONS = 50  # principal components kept, at most
BATCH = 32  # images at once; bounds the memory


def build_vgg16(weights: Path | None = None) -> keras.Model:
    """VGG16 (Simonyan and Zisserman, 2015) trained on ImageNet, up to its layer `fc1`.

    Args:
        weights: a file with the weights of keras.applications' VGG16 with its top
            (`vgg16_weights_tf_dim_ordering_tf_kernels.h5`, 528 MB). `None` takes those that
            Keras keeps in `~/.keras`, and downloads them if they are not there.

    Returns:
        `keras.Model` from float32 (N, 224, 224, 3), as `preprocess_input` makes them, to
        (N, 4096).

    Raises:
        InputError: the file is missing or holds other weights; the download fails.
    """
    if weights is None:
        try:
            network = keras.applications.VGG16()
        except Exception as error:  # whatever went wrong on the way
            reason = " ".join(str(error).split())
            raise InputError(
                f"VGG16's weights cannot be downloaded ({reason}): fetch them by hand and give "
                "them with --vgg16 FILE"
            ) from None
    else:
        check_regular(weights)
        try:
            h5py.File(weights).close()  # before 138 million weights are made
            network = keras.applications.VGG16(weights=str(weights))
        except Exception:  # Keras and h5py raise nearly every type there is on other weights
            raise InputError(
                f"{weights}: not the weights of keras.applications' VGG16 with its top: give "
                "vgg16_weights_tf_dim_ordering_tf_kernels.h5 with --vgg16 FILE"
            ) from None
    return keras.Model(network.input, network.get_layer(VGG16_LAYER).output)


def vgg16_features(
    images: np.ndarray, weights: Path | None = None, network: keras.Model | None = None
) -> np.ndarray:
    """What VGG16's first fully connected layer says of images.

    Images are resized to 224x224 (bilinear, with antialiasing). A bar on a terminal shows the
    progress.

    Args:
        images: uint8 (N, S, S, 3), of any size.
        weights: see `build_vgg16`.
        network: what to use instead of it: a model from float32 (N, 224, 224, 3) to (N, D).

    Returns:
        float32 (N, D), D = 4096.

    Raises:
        InputError: as `build_vgg16`.
        ValueError: no images, or of another shape or type.
    """
    if images.dtype != np.uint8 or images.shape[3:] != (3,) or not len(images):
        raise ValueError(
            f"images must be uint8 (N, H, W, 3). Received: {images.dtype} {images.shape}"
        )
    if network is None:
        network = build_vgg16(weights)

    @tf.function(reduce_retracing=True)
    def run(pixels):
        pixels = tf.image.resize(pixels, (VGG16_SIZE, VGG16_SIZE), antialias=True)
        pixels = keras.applications.vgg16.preprocess_input(pixels)
        return network(pixels, training=False)

    console = Console(stderr=True)
    starts = track(
        range(0, len(images), BATCH), "VGG16", console=console, transient=True,
        disable=not console.is_terminal,
    )  # fmt: skip
    return np.concatenate([run(images[start : start + BATCH]).numpy() for start in starts])


def choose_cluster(
    features: np.ndarray, components: int = 10, cluster: int | None = None, seed: int = 0
) -> tuple:
    """Sorts images into clusters by a mixture of Gaussians, and chooses one.

    The report fits the mixture to the features as they are. With full covariances of 4096
    features that would need millions of images, so here they are diagonal, after the 50 first
    principal components.

    Args:
        features: float (N, D), one row an image.
        components: clusters.
        cluster: number of the one to choose; `None` for the largest, which is number 0.
        seed: int, not negative.

    Returns:
        (chosen, labels, counts): bool (N,), the images of that cluster; int64 (N,), the
        cluster of each image, 0 to components - 1; int64 (components,), images in each, in
        descending order.

    Raises:
        InputError: fewer images than clusters, no such cluster, no image in it.
        ValueError: features of another shape, or with NaN or infinity.
    """
    features = np.asarray(features)
    if features.ndim != 2 or not np.isfinite(features).all():
        raise ValueError(f"features must be finite (N, D). Received: shape {features.shape}")
    if not 1 <= components <= len(features):
        raise InputError(
            f"{components} clusters of {len(features)} images: ask for 1 to {len(features)}"
        )
    if cluster is not None and not 0 <= cluster < components:
        raise InputError(f"no cluster {cluster}: give one of 0 to {components - 1}")
    kept = min(DIRECTIONS, *features.shape)
    with np.errstate(invalid="ignore"):  # all images alike
        reduced = PCA(kept, random_state=seed).fit_transform(features)
    reduced = reduced / (
        reduced.std(dtype=np.float64) or 1
    )  # the mixture adds a fixed 1e-6 to its variances
    mixture = GaussianMixture(
        components, covariance_type="diag", max_iter=500, random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different images
        labels = mixture.fit_predict(reduced)
    counts = np.bincount(labels, minlength=components)
    by_size = np.argsort(-counts, kind="stable")
    labels, counts = np.argsort(by_size)[labels], counts[by_size]
    chosen = labels == (cluster or 0)
    if not chosen.any():
        raise InputError(
            f"cluster {cluster}: no image in it; clusters with images are 0 to "
            f"{np.count_nonzero(counts) - 1}"
        )
    return chosen, labels, counts
