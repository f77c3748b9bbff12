"""ICC profiles for tests, written by the book (ICC.1:2022)."""

import struct

import numpy as np

D50 = np.array([0.9642, 1, 0.8249])
# of the primaries, under D50
DISPLAY_P3 = [
    [0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407],
]  # fmt: skip
ADOBE_RGB = [
    [0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457],
]  # fmt: skip
PROPHOTO = [[0.79767, 0.13519, 0.03134], [0.28804, 0.71188, 0.00009], [0, 0, 0.82491]]
SRGB = [
    [0.43607, 0.38515, 0.14307], [0.22249, 0.71687, 0.06061], [0.01392, 0.09708, 0.71410],
]  # fmt: skip
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def fixed(values):
    return struct.pack(f">{np.size(values)}i", *np.rint(np.ravel(values) * 65536).astype(int))


def para(kind, *values):
    return b"para" + struct.pack(">IHH", 0, kind, 0) + fixed(values)


def curv(*values):
    return b"curv" + struct.pack(f">2I{len(values)}H", 0, len(values), *values)


def matrix_profile(to_xyz, *curves, name="test"):
    """A profile of curves (one, or one a channel) and a matrix."""
    curves = curves * (3 // len(curves))
    columns = [b"XYZ \0\0\0\0" + fixed(column) for column in np.transpose(to_xyz)]
    tags = {f"{c}XYZ": column for c, column in zip("rgb", columns)}
    tags |= {f"{c}TRC": curve for c, curve in zip("rgb", curves)}
    return _profile(b"RGB ", b"XYZ ", tags, name)


def table_profile(space, lab):
    """A profile of a table of two levels a channel, whose colours `lab` tells."""
    channels = len(space.strip())
    corners = np.array(list(np.ndindex(*[2] * channels)))
    colours = np.array([lab(corner) for corner in corners])  # L 0..100, a and b -128..127
    colours = np.stack([colours[:, 0] * 2.55, colours[:, 1] + 128, colours[:, 2] + 128], axis=1)
    line = bytes(range(256))
    body = b"mft1" + struct.pack(">I4B", 0, channels, 3, 2, 0) + fixed(np.eye(3))
    body += line * channels + np.rint(colours).astype(np.uint8).tobytes() + line * 3
    return _profile(space, b"Lab ", {"A2B0": body}, "table")


def _profile(space, pcs, tags, name):
    text = name.encode() + b"\0"
    tags = {"wtpt": b"XYZ \0\0\0\0" + fixed(D50)} | tags
    tags["desc"] = b"desc" + struct.pack(">2I", 0, len(text)) + text + bytes(78)
    tags["cprt"] = b"text\0\0\0\0none\0"
    place, table, data = 132 + 12 * len(tags), b"", b""
    for key, body in tags.items():
        body += bytes(-len(body) % 4)
        table += struct.pack(">4s2I", key.encode(), place + len(data), len(body))
        data += body
    kinds = 0x02400000, b"mntr", space, pcs, b"acsp"
    head = struct.pack(">I4xI4s4s4s12x4s", place + len(data), *kinds)
    head = head.ljust(68, b"\0") + fixed(D50)
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
