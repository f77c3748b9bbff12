"""DefectGAN and its baselines as detectors, to be compared on the same images.

A detector is a function from an image, uint8 (H, W, C), to a dict method -> `Found`; that of
CAM gives two methods from one pass. None is given a mask, nor whether the image is defective.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from keras_gans.data.levels import to_float
from keras_gans.defectgan.cam import activation_network, cam_mask
from keras_gans.defectgan.cleaner import Cleaner
from keras_gans.defectgan.detection import Calibration, detect
from keras_gans.defectgan.surfaces import Surfaces, reduced
from keras_gans.metrics.iou import iou

# share of the way from the map's minimum to its maximum: Zhou et al.'s, and the width at half
# height, which is fairer to defects (see `cam_mask`)
CAM_SHARES = {"CAM": 0.2, "CAM, half maximum": 0.5}


@dataclass(frozen=True)
class Found:
    """What a method finds in one image.

    Attributes:
        mask: bool (H, W), where the defects are.
        score: float, the higher the more likely the image is defective.
        judged: whether the method counts the image as defective; if not, `mask`, which is
            made for every image, is no false alarm.
        heat: float (H, W), the higher the more likely a pixel is defective; what the mask was
            cut from. `None` if a method has none.
        cleaned, difference: DefectGAN's, see `Detection`; else `None`.
    """

    mask: np.ndarray
    score: float
    judged: bool = True
    heat: np.ndarray | None = None
    cleaned: np.ndarray | None = None
    difference: np.ndarray | None = None


Detector = Callable[[np.ndarray], dict[str, Found]]


def defectgan_detector(clean: Cleaner | Callable, calibration: Calibration) -> Detector:
    """DefectGAN (section II-D), see `detect`.

    The score is the largest denoised difference, in grey levels.
    """

    def run(image):
        found = detect(clean, image, calibration)
        return {
            "DefectGAN": Found(
                found.mask,
                found.score,
                judged=found.score > calibration.limit,
                heat=found.difference,
                cleaned=found.cleaned,
                difference=found.difference,
            )
        }

    return run


def segnet_detector(
    network: keras.Model, stride: int, reduce: int = 1, cut: float = 0.0
) -> Detector:
    """SegNet on whole images; a pixel is defect where its logit is above `cut`.

    The score is the largest logit of the image.

    Args:
        network: from `build_segnet`.
        stride: `2**stages`; images of no such multiple are continued by their mirror image.
        reduce: whole factor by which images are reduced; what is found is enlarged.
        cut: logit, such as from `best_cut`.
    """
    traced = _traced(network)

    def run(image):
        small = _reduced(mirrored_to_multiple(image, stride * reduce), reduce)
        logits = _enlarged(traced(small[None]).numpy()[0, ..., 0], reduce, image.shape)
        score = float(logits.max())
        return {"SegNet": Found(logits > cut, score, judged=score > cut, heat=logits)}

    return run


def best_cut(network: keras.Model, stride: int, surfaces: Surfaces) -> float:
    """The logit above which SegNet's masks fit those of training images best.

    SegNet is trained on masks, so they may choose it; balanced classes move it far above 0.

    Args:
        network, stride: see `segnet_detector`.
        surfaces: training images, already reduced.
    """
    cuts = np.arange(-2, 8.5, 0.5)
    traced = _traced(network)
    scores = []
    for image, mask in zip(surfaces.images, surfaces.masks):
        if mask is not None:
            logits = traced(mirrored_to_multiple(image, stride)[None]).numpy()
            logits = logits[0, : mask.shape[0], : mask.shape[1], 0]
            scores.append([iou(logits > cut, mask) for cut in cuts])
    return float(cuts[np.mean(scores, axis=0).argmax()]) if scores else 0.0


def cam_detector(
    network: keras.Model, shares: dict[str, float] = CAM_SHARES, reduce: int = 1
) -> Detector:
    """CAM on whole images; the score is the logit.

    A mask is made for every image, also where the logit is below 0: that is best for the IoU
    over images known to be defective. It counts as a false alarm only if the logit is above 0.

    Args:
        network: from `build_cam`.
        shares: method -> share, see `cam_mask`; all from one pass.
        reduce: see `segnet_detector`.
    """
    traced = _traced(activation_network(network))

    def run(image):
        small = _reduced(mirrored_to_multiple(image, reduce), reduce)
        maps, logits = (values.numpy() for values in traced(small[None]))
        activation = _enlarged(maps[0, ..., 0], reduce, image.shape)
        score = float(logits[0, 0])
        return {
            method: Found(cam_mask(activation, share), score, judged=score > 0, heat=activation)
            for method, share in shares.items()
        }

    return run


def mirrored_to_multiple(image: np.ndarray, multiple: int) -> np.ndarray:
    """Continues an image (H, W, C) by its mirror image, at the bottom and the right.

    H and W of the result are the next multiples of `multiple`.
    """
    missing = [-size % multiple for size in image.shape[:2]]
    if not any(missing):
        return image
    return np.pad(image, [*((0, more) for more in missing), (0, 0)], mode="symmetric")


def _reduced(image, factor):
    return image if factor == 1 else np.rint(reduced(image, factor)).astype(np.uint8)


def _enlarged(values, factor, shape):
    """Repeats values (h, w) and cuts them to the height and width in `shape`."""
    values = values.repeat(factor, axis=0).repeat(factor, axis=1)
    return values[: shape[0], : shape[1]]


def _traced(network):
    """A network on uint8 images, traced once for all sizes."""
    shape = [None, None, None, network.input_shape[3]]

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.uint8)], autograph=False)
    def run(images):
        return network(to_float(images), training=False)

    return run
