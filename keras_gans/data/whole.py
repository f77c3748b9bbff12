"""Whether a JPEG or PNG is whole: Pillow also decodes one whose end is zeros, as of a copy that
was interrupted."""

import os
import re
import struct
import zlib
from pathlib import Path

from keras_gans.data.reading import reading

MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # no data, no restart
END = 0xD9


def check_whole(path: Path, kind: str) -> None:
    """Finds out whether a file holds all of its picture, without decoding it.

    Of a PNG all chunks of pixels must be there, as their checksums say. A JPEG may lack its
    end, but not have zeros or ones in its place.

    Args:
        path: the file.
        kind: "JPEG", "PNG" or another, of which nothing is checked.

    Raises:
        InputError: it does not.
    """
    check = {"JPEG": _check_jpeg, "PNG": _check_png}.get(kind)
    if check:
        with reading(path, kind):
            check(path)


def _check_png(path):
    with open(path, "rb") as file:
        file.seek(8)
        while len(head := file.read(8)) == 8:
            size, name = struct.unpack(">I4s", head)
            if name == b"IEND":
                break
            if name == b"IDAT":
                content, checksum = file.read(size), file.read(4)
                if struct.pack(">I", zlib.crc32(content, zlib.crc32(name))) != checksum:
                    raise SyntaxError("checksum")
            elif not name.isalpha():
                raise SyntaxError("no chunk")
            else:
                file.seek(size + 4, 1)


def _check_jpeg(path):
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1)[0] not in (0, 255):
            return
    content, place = path.read_bytes(), 2
    while found := MARKER.search(content, place):
        if found[1][0] == END:
            return
        # past the segment; after the head of a scan its data
        place = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    raise SyntaxError("no end")
