"""No convolution of size 1 has strides: with oneDNN TensorFlow 2.21 writes past its memory.

The gradient of such a convolution corrupts memory. Every network is built by its builder.
"""

import keras
import pytest
import tensorflow as tf

from keras_gans.defectgan import cam, segnet
from keras_gans.defectgan import networks as defectgan
from keras_gans.dscnn.networks import build_dscnn
from keras_gans.frgan import networks as frgan
from keras_gans.okdgan import networks as okdgan
from keras_gans.okdgan.classifier import build_classifier
from keras_gans.text2image import networks as text2image
from keras_gans.text2image.export import unrolled

CONVOLUTIONS = {"Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput"}


NETWORKS = {
    "dscnn": lambda: build_dscnn(32),
    "dscnn-skip": lambda: build_dscnn(32, skip=True, encoding="gamma"),
    "dscnn-skip-full": lambda: build_dscnn(32, 5, separable=False, skip=True),
    "defectgan-generator": lambda: defectgan.build_generator(1, 4, 2, 32),
    "defectgan-generator-residual": lambda: defectgan.build_generator(1, 4, 2, residual=True),
    "defectgan-discriminator": lambda: defectgan.build_discriminator(1, 4, 32),
    "defectgan-local-discriminator": lambda: defectgan.build_local_discriminator(1, 4, 32),
    "defectgan-segnet": lambda: segnet.build_segnet(1, 4, 3),
    "defectgan-cam": lambda: cam.build_cam(1, 4, 3),
    "frgan-generator": lambda: frgan.build_generator(16, width=4, latent=5),
    "frgan-discriminator": lambda: frgan.build_discriminator(16, width=4, se=False),
    "frgan-discriminator-se": lambda: frgan.build_discriminator(16, width=16, se=True),
    "okdgan-generator": lambda: okdgan.build_generator(16, width=4, latent=5),
    "okdgan-generator-acgan": lambda: okdgan.build_generator(
        16, width=4, latent=5, classes=3, attention=()
    ),
    "okdgan-critic": lambda: okdgan.build_critic(16, width=4),
    "okdgan-critic-acgan": lambda: okdgan.build_critic(16, width=4, classes=3, spectral=False),
    "okdgan-classifier": lambda: build_classifier(16, 3, width=4),
    "text2image-generator": lambda: text2image.build_generator(5, 16, width=4),
    "text2image-discriminator": lambda: text2image.build_discriminator(16, width=4),
    **{
        # unrolled: convolutions of a loop's body are not in the graph itself
        f"text2image-{where}": lambda where=where: unrolled(
            text2image.build_text_to_image(3, 5, 16, 4, where)
        )
        for where in ("refined", "last", "penultimate")
    },
}


def strided_points(network):
    """Names of the operations, in training, that convolve single pixels with strides."""
    signature = [
        tf.TensorSpec([2, *(side or 32 for side in each.shape[1:])], each.dtype)
        for each in network.inputs
    ]
    graph = (
        tf.function(
            lambda *inputs: network(inputs if len(inputs) > 1 else inputs[0], training=True)
        )
        .get_concrete_function(*signature)
        .graph
    )
    inner = graph.as_graph_def().library.function
    assert not {node.op for each in inner for node in each.node_def} & CONVOLUTIONS
    return [
        operation.name
        for operation in graph.get_operations()
        if operation.type in CONVOLUTIONS
        and operation.inputs[1].shape[:2] == (1, 1)
        and max(operation.get_attr("strides")) > 1
    ]


@pytest.mark.parametrize("name", NETWORKS)
def test_none_of_the_networks_has_one(name):
    assert not strided_points(NETWORKS[name]())


@pytest.mark.parametrize(
    "kind", ["Conv2D", "SeparableConv2D", "DepthwiseConv2D", "Conv2DTranspose"]
)
@pytest.mark.parametrize("size, strides, count", [(1, 2, 1), (1, 1, 0), (3, 2, 0)])
def test_one_is_found(kind, size, strides, count):
    images = keras.Input((8, 8, 3))
    filters = [] if kind == "DepthwiseConv2D" else [4]
    layer = getattr(keras.layers, kind)(*filters, size, strides=strides)
    assert len(strided_points(keras.Model(images, layer(images)))) == count
