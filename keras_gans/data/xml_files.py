"""XML in whichever encoding annotation tools write it."""

import codecs
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from keras_gans.data.reading import Unsupported, reading
from keras_gans.data.tables import read_content

# The first bytes, with and without a byte order mark; UTF-32 before the UTF-16 it begins like.
STARTS = {
    b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}  # fmt: skip

# Where Windows says one, it writes the larger set that has it in it.
LARGER = {
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "x-sjis": "cp932",
    "windows-31j": "cp932", "euc_kr": "cp949",
}  # fmt: skip


def read_xml(path: Path) -> ET.Element:
    """The root of an XML file.

    The encoding is told by the first bytes, or else by the declaration; UTF-8 without one.

    Raises:
        InputError: the file cannot be read, is of another encoding than it says or of an
            unknown one, declares entities (which can grow without limit), or is no XML.
    """
    content = read_content(path, "XML file")
    with reading(path, "XML file"):
        encoding = _encoding(content)
        try:
            text = content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise Unsupported(f"not {encoding} throughout: save it as UTF-8") from None
        if "<!ENTITY" in text:
            raise Unsupported("declares entities: write them out")
        try:
            return ET.fromstring(text)  # of text the declaration no longer counts
        except ET.ParseError as error:
            raise Unsupported(f"not readable as XML ({error}): restore the file") from None


def _encoding(content):
    for start, encoding in STARTS.items():
        if content.startswith(start):
            return encoding
    declaration = rb"""(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:-]{1,40})["']"""
    declared = re.match(declaration, content[:400])
    name = declared[1].decode("ascii", "replace") if declared else "utf-8"
    try:
        known = codecs.lookup(LARGER.get(name.lower(), name)).name
        "".encode(known)  # refuses those that are not of text
    except LookupError:
        raise Unsupported(f"of an unknown encoding ({name}): save it as UTF-8") from None
    # two bytes a character would have been seen above
    return "utf-8" if known.startswith(("utf-16", "utf-32")) else LARGER.get(known, known)
