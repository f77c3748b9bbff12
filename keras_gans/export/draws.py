"""TensorFlow's stateless random numbers (Philox 4x32-10) in NumPy: those of `draw_latent`.

Salmon et al., *Parallel random numbers: as easy as 1, 2, 3*, SC 2011.
"""

from typing import Literal

import numpy as np

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
WEYL = 0x9E3779B9, 0xBB67AE85  # what the key grows by in each round
ROUNDS = 10
SEED_KEY = 0x3EC8F720, 0x02461E29  # with which TensorFlow turns a seed into a key
LOW = 0xFFFFFFFF


def latent_vector(
    seed: int, number: int, latent: int, distribution: Literal["uniform", "normal"]
) -> np.ndarray:
    """The z of image `number` of a seed, float32 (latent,), as `generator.draw_latent` has it.

    The uniform one is the same to the bit, the normal one but for the rounding of logarithm
    and sine.
    """
    values = _to_unit(_random_bits(seed, number, latent + latent % 2))
    if distribution == "uniform":
        return (values * np.float32(2) - np.float32(1))[:latent]
    radius = np.sqrt(-2 * np.log(np.maximum(values[::2], np.float32(1e-7))))
    angle = np.float32(2 * np.pi) * values[1::2]
    pairs = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    return pairs.ravel()[:latent].astype(np.float32)


def label_number(seed: int, number: int, classes: int) -> int:
    """The class of image `number` of a seed, as `generator.draw_label` has it."""
    return int(_random_bits(seed, -1 - number, 1)[0]) % classes


def _random_bits(seed, number, count):
    """The first numbers, uint32 (count,), of a pair of int64."""
    words = [part for value in (seed, number) for part in (value & LOW, value >> 32 & LOW)]
    mixed = _philox(np.array(words, np.uint64)[:, None], SEED_KEY)[:, 0]
    blocks = -(-count // 4)
    counters = np.zeros((4, blocks), np.uint64)
    counters[0] = np.arange(blocks)
    counters[2:] = mixed[2:, None]
    return _philox(counters, mixed[:2]).T.ravel()[:count]


def _philox(counters, key):
    """Ten rounds over counters, uint64 (4, N) below 2**32; all four numbers of each."""
    x0, x1, x2, x3 = counters
    key = [int(part) for part in key]
    for _ in range(ROUNDS):
        first, second = x0 * np.uint64(MULTIPLIERS[0]), x2 * np.uint64(MULTIPLIERS[1])
        x0, x2 = (second >> 32) ^ x1 ^ np.uint64(key[0]), (first >> 32) ^ x3 ^ np.uint64(key[1])
        x1, x3 = second & LOW, first & LOW
        key = [(part + step) & LOW for part, step in zip(key, WEYL)]
    return np.stack([x0, x1, x2, x3])


def _to_unit(bits):
    """uint32 to float32 in [0, 1): the lower 23 bits are the mantissa."""
    mantissa = (bits & 0x7FFFFF).astype(np.uint32) | np.uint32(127 << 23)
    return mantissa.view(np.float32) - np.float32(1)
