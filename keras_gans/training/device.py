"""What this machine trains on."""

from keras_gans.machine import cores, onednn
from keras_gans.quiet import tensorflow as tf
from keras_gans.training.distribute import alone as alone
from keras_gans.training.distribute import start as start
from keras_gans.training.repeatable import make_repeatable


def set_up(deterministic: bool = True) -> None:
    """Makes runs repeatable to the bit where asked, and says what computes."""
    if deterministic:
        make_repeatable()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        names = [tf.config.experimental.get_device_details(g)["device_name"] for g in gpus]
        print(f"device: {', '.join(names)} (XLA)")
    else:
        library = "oneDNN, " if onednn() else ""
        print(f"device: CPU, {cores()} cores ({library}no XLA)")


def xla() -> bool:
    """`jit_compile` for `Model.compile`: XLA with a GPU, none on a CPU.

    On a CPU it makes depthwise convolutions and max-pooling many times slower.
    """
    return bool(tf.config.list_physical_devices("GPU"))
