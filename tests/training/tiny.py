"""Every model of the package, tiny and compiled, with a batch and an input."""

import keras
import numpy as np

from keras_gans.defectgan.attention import (
    AttentionGAN,
    build_attention_generator,
    build_pooled_discriminator,
)
from keras_gans.defectgan.cam import build_cam, compile_cam
from keras_gans.defectgan.image_pool import ImagePool
from keras_gans.defectgan.model import DefectGAN
from keras_gans.defectgan.networks import build_generator as defect_generator
from keras_gans.defectgan.networks import build_local_discriminator
from keras_gans.defectgan.schedules import TwoPhases
from keras_gans.defectgan.segnet import build_segnet, compile_segnet
from keras_gans.dscnn.model import compile_dscnn
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.frgan.model import FRGAN, compile_labels_only
from keras_gans.okdgan import networks as okdgan
from keras_gans.okdgan.acgan import ACGAN
from keras_gans.okdgan.distillation import OnlineDistillation
from keras_gans.okdgan.sagan import SAGAN
from keras_gans.text2image import networks as words
from keras_gans.text2image.dcgan import DCGAN
from keras_gans.text2image.gnn import GNN
from keras_gans.text2image.model import TextToImage

RATE = 1e-3


def images(*shape, channels=3):
    values = np.random.default_rng(1).uniform(-0.9, 0.9, (*shape, channels))
    return values.astype("float32")


def optimizers(count):
    """With one variable for each of a network's, where Adam has two: half the time."""
    return [keras.optimizers.SGD(RATE, 0.9) for _ in range(count)]


def defectgan(**options):
    gan = DefectGAN(
        *(defect_generator(1, 2, 1) for _ in range(2)),
        *(build_local_discriminator(1, 2) for _ in range(2)),
        **options,
    )
    rates = TwoPhases(RATE, 10), TwoPhases(RATE, 10, 1, RATE)
    gan.compile(*(keras.optimizers.SGD(rate, 0.9) for rate in rates))
    return gan, (images(2, 8, 8, channels=1), -images(2, 8, 8, channels=1))


def pooled(**options):
    """DefectGAN with all that is not the paper's."""
    pools = [ImagePool((8, 8, 1), 3, seed) for seed in (0, 1)]
    return defectgan(
        adversarial="least-squares", identity_weight=0.5, change_weight=1.0, pools=pools,
        candidates=2, patch_share=0.5, margin=1.0, weak_labels=True, **options,
    )  # fmt: skip


def attention(**options):
    """With all that it can have."""
    gan = AttentionGAN(
        *(build_attention_generator(1, 2) for _ in range(2)),
        build_pooled_discriminator(1, 2, scales=2),
        candidates=2, patch_share=0.1, average=0.9, **options,
    )  # fmt: skip
    gan.compile(*optimizers(2))
    return gan, (images(4, 16, 16, channels=1), -images(4, 16, 16, channels=1))


def frgan_(**options):
    random = {"dropout": 0.0, "noise": 0.0} if options.pop("exact", False) else {}
    generator = frgan.build_generator(8, width=2, latent=3)
    gan = FRGAN(generator, frgan.build_discriminator(8, 3, 4, width=4, **random), **options)
    gan.compile(*optimizers(2))
    views = images(2, 3, 8, 8) if gan.consistency_weight else images(1, 3, 8, 8)
    return gan, ((images(4, 8, 8), np.arange(4)), views)


def student(kind=SAGAN, **options):
    classes = 2 if kind is ACGAN else 0
    sizes = dict(width=2, classes=classes, attention=options.pop("attention", ()))
    networks = okdgan.build_generator(16, latent=3, **sizes), okdgan.build_critic(16, **sizes)
    return kind(*networks, **options)


def single(kind=SAGAN, **options):
    gan = student(kind, **options)
    gan.compile(*optimizers(2))
    return gan, (images(4, 16, 16), np.array([0, 1, 1, 0]))


def distillation(kind=SAGAN, **options):
    students = [student(kind, seed=seed, **options) for seed in (0, 1)]
    connectors = [okdgan.build_critic(16, width=2, attention=()) for _ in students]
    gans = OnlineDistillation(students, connectors, rho=0.1)
    gans.compile(*optimizers(3))
    return gans, (images(4, 16, 16), np.array([0, 1, 1, 0]))


def gnn():
    model = GNN(words.build_generator(4, 8, 2))
    model.compile(*optimizers(1))
    return model, (images(4, channels=4), images(4, 8, 8))


def dcgan(blurred=True):
    gan = DCGAN(words.build_generator(4, 8, 2), words.build_discriminator(8, 2), blurred)
    gan.compile(*optimizers(2))
    return gan, (images(4, channels=4), images(4, 8, 8))


def text_to_image(convlstm="refined", **options):
    network = words.build_text_to_image(3, 4, 8, 2, convlstm)
    gan = TextToImage(network, words.build_discriminator(8, 2), **options)
    gan.compile(*optimizers(2))
    mask = np.array([[False, True, True], [True, True, True], [False, False, True]])
    return gan, ((images(3, 3, channels=4), mask), (images(3, 8, 8), images(3, 2, 8, 8)))


def dscnn():
    network = build_dscnn(8, 1, encoding="gamma")
    compile_dscnn(network, RATE)
    return network, (images(4, 8, 8) / 2 + 0.5, images(4) + 1)


def segnet():
    network = build_segnet(1, 2, 1)
    compile_segnet(network, RATE, 10, (1.0, 3.0))
    return network, (images(2, 8, 8, channels=1), images(2, 8, 8, channels=1) > 0)


def cam():
    network = build_cam(1, 2, 1)
    compile_cam(network, RATE, 10)
    return network, (images(2, 8, 8, channels=1), np.array([[0.0], [1.0]]))


def labels_only():
    network = frgan.build_discriminator(8, 3, 4, width=4, dropout=0.0, noise=0.0)
    compile_labels_only(network, RATE)
    return network, (images(4, 8, 8), np.arange(4))


STEPS = {
    "defectgan": pooled,
    "frgan": lambda: frgan_(feature_matching=True, average=0.9, ramp_steps=4),
    "sagan": lambda: single(average=0.9, augmentations=("color",), attention=(8,)),
    "acgan": lambda: single(ACGAN),
    "distillation": lambda: distillation(average=0.9),
    "gnn": gnn,
    "dcgan": dcgan,
    "text-to-image": text_to_image,
}
FUNCTIONAL = {"dscnn": dscnn, "segnet": segnet, "cam": cam, "labels-only": labels_only}
MODELS = STEPS | FUNCTIONAL


def inputs(name, batch):
    """What the model of a name is called on."""
    if name in ("sagan", "distillation"):
        return images(4, channels=3)
    if name == "acgan":
        return [images(4, channels=3), np.array([0, 1, 1, 0])]
    if name == "frgan":
        return batch[0][0]
    if name == "text-to-image":
        return list(batch[0])
    return batch[0]


def eager(model):
    """The model, whose steps are not traced: nearly all of the time of one step."""
    model.run_eagerly = True
    return model
