"""Text files and CSV tables, read with errors that name the line."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from keras_gans.data.reading import reading
from keras_gans.errors import InputError

LARGEST = 1 << 28  # bytes of a text file; the largest set of captions has 15 MB

LONGEST = 1 << 16  # characters of a line


def read_content(path: Path, kind: str = "text file") -> bytes:
    """The bytes of a text file of any encoding.

    Raises:
        InputError: the file cannot be read, or has more than 256 MiB.
    """
    with reading(path, kind), open(path, "rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise InputError(f"{path}: more than {LARGEST >> 20} MiB, too large for a {kind}")
    return content


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 text file, without the empty ones at its end.

    Raises:
        InputError: the file cannot be read or is too large, is not UTF-8, has a zero byte or a
            line of more than 65 536 characters.
    """
    content = read_content(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line}: not UTF-8: save the file as UTF-8") from None
    lines = re.split("\r\n|\r|\n", text)
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise InputError(f"{path}: line {number}: a zero byte: save the file as UTF-8")
        if len(line) > LONGEST:
            raise InputError(
                f"{path}: line {number}: {len(line)} characters, at most {LONGEST} are read: "
                "break the line"
            )
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def read_rows(
    path: Path, required: Sequence[str], optional: Sequence[str] = ()
) -> tuple[tuple[str, ...], list[tuple[str, dict[str, str]]]]:
    """The rows of a CSV file whose first line names its columns.

    Names of columns that are known are found in any letter case. Blank lines do not count.

    Args:
        path: CSV file in UTF-8.
        required: names of columns that must be there.
        optional: names of columns that may be there; others are kept as they are called.

    Returns:
        (columns, rows): tuple of str, and a list of (where, row): "PATH: line N", for messages,
        and dict column -> text without blanks around it.

    Raises:
        InputError: the file cannot be read; no such columns, or one twice; a row with more or
            fewer cells.
    """
    known = {name.casefold(): name for name in (*required, *optional)}
    reader = csv.reader((line + "\n" for line in read_lines(path)), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        columns = tuple(known.get(cell.casefold(), cell) for cell in header)
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}: mend the line") from None
    missing = [name for name in required if name not in columns]
    if missing:
        raise InputError(
            f"{path}: no column {missing[0]}; expected: {', '.join(required)}"
            + (f" and, if wanted, {', '.join(optional)}" if optional else "")
            + f". Received: {', '.join(columns)[:80] or 'none'}"
        )
    twice = [name for name in columns if columns.count(name) > 1]
    if twice:
        raise InputError(f"{path}: two columns are called {twice[0]}: rename one")
    found = []
    for number, row in rows:
        if not any(row):
            continue
        where = f"{path}: line {number}"
        if len(row) != len(columns):
            raise InputError(
                f"{where}: {len(columns)} cells are expected ({', '.join(columns)[:80]}), "
                f"these are {len(row)}: mend the line (quote a comma)"
            )
        found.append((where, dict(zip(columns, row))))
    return columns, found


def whole_number(text: str, name: str, where: str) -> int:
    """A whole number that is not negative, of at most 15 digits.

    Raises:
        InputError: the text is none.
    """
    if not text.isdecimal() or len(text) > 15:
        shown = repr(text[:30]) + "..." * (len(text) > 30)
        raise InputError(f"{where}: {name} is {shown}, a whole number is expected")
    return int(text)


def flag(text: str, name: str, where: str) -> bool:
    """Whether a cell is 1.

    Raises:
        InputError: it is neither 0 nor 1.
    """
    if text not in ("0", "1"):
        raise InputError(f"{where}: {name} is {text[:30] or 'empty'}, 0 or 1 is expected")
    return text == "1"
