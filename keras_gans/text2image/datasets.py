"""Images with captions: Oxford flowers, CUB birds, Flickr8k and Flickr30k, or any folder.

`load_captioned_images` looks at what lies in a folder. It reads all captions before the first
image, so everything wrong with them is found at once, and all images before any training.
"""

import csv
import dataclasses
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gans.data.images import SUFFIXES, list_images
from keras_gans.data.squares import read_squares
from keras_gans.errors import InputError
from keras_gans.text2image.captions import count_words, tokenize

PARTS = ("train", "test")
TEST_SHARE = 0.1  # of the images, where the set defines no test images

# Published numbers of images, of classes, and of the classes that Reed et al. (2016) test on.
OXFORD = ("Oxford 102 Flowers", 8189, 102, 20)
CUB = ("CUB-200-2011", 11788, 200, 50)

FLICKR_FOLDERS = (
    "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k_images", "flickr30k-images",
    "images",
)  # fmt: skip
FLICKR_CAPTIONS = ("*.token.txt", "*.token", "results.csv", "captions.txt")
FLICKR_PARTS = {"train": "Flickr_8k.trainImages.txt", "test": "Flickr_8k.testImages.txt"}
# Flickr8k as published has captions of this image, but not the image.
FLICKR_LOST = "2258277193_586949ec62.jpg.1"
OTHER_PARTS = ("val", "valid", "validation", "dev")  # of index.csv; left out

LAYOUTS = (
    "jpg/ and text_c10/ (Oxford 102 Flowers), images/ and text_c10/ or text/ (CUB), Images/ "
    "and *.token.txt, *.token, results.csv or captions.txt (Flickr8k, Flickr30k), or NAME.jpg "
    "and NAME.txt"
)


@dataclass(frozen=True, eq=False)
class CaptionedImages:
    """Images and what was said about them, in two parts.

    Attributes:
        name: what to call the set where its figures are given.
        images: uint8 (N, S, S, 3), sRGB.
        captions: N tuples of str, one or more captions of each image.
        split: str (N,), "train" or "test".
        files: N str, the images' files, relative to the set's folder.
    """

    name: str
    images: np.ndarray
    captions: tuple[tuple[str, ...], ...]
    split: np.ndarray
    files: tuple[str, ...]

    def __len__(self):
        return len(self.images)

    def take(self, selection):
        """The images that `selection` (indices or bool (N,)) chooses, with all that is theirs.

        Example: `images.take(images.split == "train")`.
        """
        chosen = np.arange(len(self))[selection]
        taken = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, np.ndarray):
                taken[field.name] = value[chosen]
            elif isinstance(value, tuple):
                taken[field.name] = tuple(value[i] for i in chosen)
        return dataclasses.replace(self, **taken)

    def sentences(self):
        """All captions of all images, one after the other.

        Returns:
            (captions, owners): list of M str, and int64 (M,), the image of each.
        """
        counts = [len(captions) for captions in self.captions]
        flat = [caption for captions in self.captions for caption in captions]
        return flat, np.repeat(np.arange(len(self)), counts)


def load_captioned_images(folder, image_size=64, seed=0, tag=None):
    """Loads images and their captions from a folder, in whichever of these layouts it is.

    - `jpg/*.jpg` and `text_c10/CLASS/*.txt`: Oxford 102 Flowers (Nilsback and Zisserman, 2008)
      with the captions of Reed et al. (2016).
    - `images/CLASS/*.jpg` and `text_c10/CLASS/*.txt` or `text/CLASS/*.txt`: CUB-200-2011 (Wah
      et al., 2011) with theirs.
    - `Images/` (or `Flicker8k_Dataset/`, `flickr30k_images/`) and a file of all captions:
      Flickr8k (Hodosh et al., 2013) or Flickr30k (Young et al., 2014). Its lines are
      `NAME.jpg#0<TAB>caption` (`*.token.txt`, `*.token`), `NAME.jpg| 0| caption`
      (`results.csv`) or, as CSV, `NAME.jpg,caption` (`captions.txt`).
    - `NAME.jpg` and `NAME.txt` side by side.

    A text file has a caption a line, UTF-8. Of each image the largest square of the middle is
    reduced or enlarged.

    Images of flowers and birds are split by class: no class is in both parts. Those to test
    on are listed in `testclasses.txt` and the others in `trainvalclasses.txt`, or in
    `trainclasses.txt` and `valclasses.txt`; without these files they are drawn by the seed, as
    large a share as Reed et al. took. Of the other layouts the parts are those in the column
    `split` of `index.csv` or in `Flickr_8k.trainImages.txt` and `Flickr_8k.testImages.txt`
    (images for validation are left out); without these files a tenth, drawn by the seed, is
    the test part.

    Args:
        folder: where the files are.
        image_size: side in pixels of the images returned.
        seed: int, not negative; the split is a function of the files' names and the seed.
        tag: keeps the images that have it among their `tags` (separated by `;`) in
            `index.csv`; without this file, those that have it as a word of a caption. `None`
            keeps all. The part of an image does not depend on it.

    Returns:
        `CaptionedImages`, sorted by file name.

    Raises:
        InputError: no such folder, none of the layouts; an image without caption or a caption
            without image; a caption without a word; text that is not UTF-8; a line that is
            damaged or there twice; nothing with the tag; nothing to train or to test on; a
            damaged image.
    """
    folder = Path(folder)
    if not folder.is_dir():
        state = "a file" if folder.exists() else "no such folder"
        raise InputError(f"{folder}: {state}; a folder is expected with {LAYOUTS}")
    name, captions, parts, tags = _read_captions(folder, seed)
    paths = sorted(captions)
    if tag is not None:
        paths = _with_tag(folder, paths, captions, tags, tag)
        name += f", {tag}"
    paths = [path for path in paths if parts[path] in PARTS]
    split = np.array([parts[path] for path in paths], str)
    for part in PARTS:
        if part not in split:
            also = "" if tag is None else f" with the tag {tag}"
            raise InputError(f"{folder}: no {part} images{also}: add some, or split anew")
    return CaptionedImages(
        name,
        read_squares(paths, image_size),
        tuple(captions[path] for path in paths),
        split,
        tuple(path.relative_to(folder).as_posix() for path in paths),
    )


def describe(images):
    """One line on a set: its parts, its captions, their words.

    Args:
        images: `CaptionedImages`.
    """
    captions, _ = images.sentences()
    words = count_words(captions)
    size = images.images.shape[1]
    train, test = (np.count_nonzero(images.split == part) for part in PARTS)
    return (
        f"{images.name}: {len(images)} images, {size}x{size}, {train} for training, {test} for "
        f"testing; {len(captions)} captions of {words.total() / len(captions):.1f} words, "
        f"{len(words)} different words"
    )


def _read_captions(folder, seed):
    """What the folder's layout says, before any image is read.

    Returns:
        (name of the set, {image: its captions}, {image: its part}, {image: its tags} or
        `None`); images are `Path`s.
    """
    texts = [folder / name for name in ("text_c10", "text") if (folder / name).is_dir()]
    if texts and (folder / "jpg").is_dir():
        return _read_oxford(folder, texts[0], seed)
    if texts and (folder / "images").is_dir():
        return _read_cub(folder, texts[0], seed)
    if _flickr_captions(folder):
        return _read_flickr(folder, seed)
    if any(path.suffix.lower() in SUFFIXES for path in folder.iterdir()):
        return _read_pairs(folder, seed)
    raise InputError(f"{folder}: unknown layout; expected: {LAYOUTS}")


# Text files beside images -------------------------------------------------------------------


def _read_oxford(folder, text, seed):
    images = {path.stem: path for path in list_images(folder / "jpg")}
    texts, classes = {}, {}
    for path in _class_texts(text):
        if path.stem in texts:
            raise InputError(f"{path}: captions of an image that {texts[path.stem]} has too")
        texts[path.stem], classes[path.stem] = path, path.parent.name
    captions = _matched(images, texts, lambda name: text / "CLASS" / f"{name}.txt")
    labels = {images[name]: label for name, label in classes.items()}
    return _in_classes(folder, text, captions, labels, OXFORD, seed)


def _read_cub(folder, text, seed):
    images = {
        (path.parent.name, path.stem): path
        for label in _subfolders(folder / "images")
        for path in list_images(label)
    }
    texts = {(path.parent.name, path.stem): path for path in _class_texts(text)}
    captions = _matched(images, texts, lambda key: text / key[0] / f"{key[1]}.txt")
    labels = {path: label for (label, _), path in images.items()}
    return _in_classes(folder, text, captions, labels, CUB, seed)


def _read_pairs(folder, seed):
    images = {}
    for path in list_images(folder):
        if path.stem in images:
            raise InputError(f"{path}: its captions would be those of {images[path.stem]} too")
        images[path.stem] = path
    texts = {path.stem: path for path in _texts(folder)}
    captions = _matched(images, texts, lambda name: folder / f"{name}.txt")
    parts, tags = _read_index(folder, captions)
    return folder.resolve().name, captions, parts or _drawn_parts(captions, seed), tags


def _subfolders(folder):
    found = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    found = [path for path in found if not path.name.startswith(".")]
    if not found:
        raise InputError(f"{folder}: no folders in it: a folder per class is expected")
    return found


def _texts(folder):
    return [path for path in sorted(folder.glob("*.txt")) if not path.name.startswith(".")]


def _class_texts(text):
    return [path for label in _subfolders(text) for path in _texts(label)]


def _matched(images, texts, expected):
    """{image: its captions}, from the images and text files that have the same keys.

    Args:
        images, texts: dicts from key to `Path`.
        expected: function from a key to the text file where its captions should be.
    """
    for key, path in images.items():
        if key not in texts:
            raise InputError(f"{path}: no captions of it: add {expected(key)}, or remove it")
    for key, path in texts.items():
        if key not in images:
            raise InputError(f"{path}: captions of no image: add the image, or remove the file")
    captions = {}
    for key, path in texts.items():
        lines = _lines(path)
        if not lines:
            raise InputError(f"{path}: empty: write a caption a line")
        captions[images[key]] = tuple(
            _caption(line, path, number) for number, line in enumerate(lines, 1)
        )
    return captions


def _in_classes(folder, text, captions, labels, published, seed):
    """What `_read_captions` returns, of a set that is split by class.

    Args:
        labels: {image: its class}.
        published: name, and numbers of images, classes and test classes, as published.
    """
    name, images, all_classes, test_classes = published
    classes = sorted(set(labels.values()))
    if (len(captions), len(classes)) != (images, all_classes):
        name = folder.resolve().name
    parts = _listed_classes(folder, text, classes)
    if not parts:
        if len(classes) < 2:
            raise InputError(f"{text}: one class, {classes[0]}: two are needed, one to test on")
        count = max(1, round(len(classes) * test_classes / all_classes))
        drawn = set(np.random.default_rng(seed).permutation(classes)[:count].tolist())
        parts = {label: "test" if label in drawn else "train" for label in classes}
    return name, captions, {path: parts[label] for path, label in labels.items()}, None


def _listed_classes(folder, text, classes):
    """{class: its part} of the files that list them; empty if there are none."""
    names = ("trainvalclasses.txt", "trainclasses.txt", "valclasses.txt", "testclasses.txt")
    there = {
        name: place / name
        for name in names
        for place in (text, folder)
        if (place / name).is_file()
    }
    train = [there[name] for name in names[:3] if name in there]
    test = [there[name] for name in names[3:] if name in there]
    if bool(train) != bool(test):
        lacking = "trainvalclasses.txt" if test else "testclasses.txt"
        raise InputError(f"{(train or test)[0]}: without {lacking}: add it, or remove both")
    parts = {}
    for part, paths in (("train", train), ("test", test)):
        for path in paths:
            for number, line in enumerate(_lines(path), 1):
                if parts.setdefault(line.strip(), part) != part:
                    raise InputError(
                        f"{path}: line {number}: class {line.strip()} is one to train on: take "
                        "it out of one of the lists"
                    )
    for label in classes:
        if parts and label not in parts:
            raise InputError(
                f"{test[0]}: class {label} is neither there nor in {train[0].name}: add it"
            )
    return parts


# One file of captions -----------------------------------------------------------------------


def _flickr_captions(folder):
    """The files that may hold the captions; not the lemmas that Flickr8k comes with."""
    inner = _flickr_images(folder)
    for place in (folder, inner.parent, inner) if inner != folder else (folder,):
        found = [path for pattern in FLICKR_CAPTIONS for path in sorted(place.glob(pattern))]
        found = [path for path in found if not re.search(r"^\.|\.lemma\.", path.name)]
        if found:
            return found
    return []


def _flickr_images(folder):
    """The folder of the images; `folder` itself if none has the name of one."""
    for name in FLICKR_FOLDERS:
        if (folder / name).is_dir():
            nested = folder / name / name  # as some archives unpack
            return nested if nested.is_dir() else folder / name
    return folder


def _read_flickr(folder, seed):
    files = _flickr_captions(folder)
    if len(files) > 1:
        raise InputError(f"{files[1]}: captions, as {files[0].name} has: keep one of them")
    path, inner = files[0], _flickr_images(folder)
    images = {image.name: image for image in list_images(inner)}
    found, seen = {}, {}
    for line, name, number, caption in _flickr_lines(path):
        if name == FLICKR_LOST and name not in images:
            continue
        if name not in images:
            raise InputError(
                f"{path}: line {line}: no image {name} in {inner}: add it, or remove the line"
            )
        if number is not None and (name, number) in seen:
            raise InputError(
                f"{path}: line {line}: caption {number} of {name} is in line "
                f"{seen[name, number]} already: remove one"
            )
        seen[name, number] = line
        found.setdefault(images[name], []).append(_caption(caption, path, line))
    for image in images.values():
        if image not in found:
            raise InputError(f"{image}: no caption of it in {path}: add some, or remove it")
    captions = {image: tuple(texts) for image, texts in found.items()}
    parts, tags = _read_index(folder, captions)
    parts = parts or _flickr_parts(folder, images) or _drawn_parts(captions, seed)
    return folder.resolve().name, captions, parts, tags


def _flickr_lines(path):
    """(line, image, number of the caption or `None`, caption) of every line."""
    lines = _lines(path)
    if path.name == "captions.txt":
        for line, row in _rows(path, lines, ("image", "caption")):
            yield line, row["image"], None, row["caption"]
        return
    if path.suffix == ".csv":  # in the published file a line lacks its second bar
        first, form, expected = 2, r"(.+?)\s*\|\s*(\d+)\b\s*\|?(.*)", "NAME.jpg| 0| caption"
    else:
        first, form, expected = 1, r"(.+?)#(\d+)\t(.*)", "NAME.jpg#0, a tab and a caption"
    for number, line in enumerate(lines[first - 1 :], first):
        match = re.fullmatch(form, line)
        if not match:
            raise InputError(f"{path}: line {number}: {expected} is expected: mend the line")
        yield number, *match.groups()


def _flickr_parts(folder, images):
    """{image: its part} by the lists of Flickr8k; empty if there are none."""
    parts = {}
    paths = {part: folder / name for part, name in FLICKR_PARTS.items()}
    if not any(path.exists() for path in paths.values()):
        return parts
    for part, path in paths.items():
        for number, line in enumerate(_lines(path), 1):
            if line.strip() not in images:
                raise InputError(f"{path}: line {number}: no image {line.strip()}: remove it")
            if parts.setdefault(images[line.strip()], part) != part:
                raise InputError(
                    f"{path}: line {number}: {line.strip()} is one to train on: take it out "
                    "of one of the lists"
                )
    return {image: parts.get(image, "neither") for image in images.values()}


# Parts and tags -----------------------------------------------------------------------------


def _drawn_parts(captions, seed):
    """{image: its part}: a tenth of them to test on, one at least."""
    paths = sorted(captions)
    if len(paths) < 2:
        raise InputError(f"{paths[0]}: the only image: two are needed, one to test on")
    count = max(1, round(TEST_SHARE * len(paths)))
    drawn = set(np.random.default_rng(seed).permutation(len(paths))[:count].tolist())
    return {path: "test" if i in drawn else "train" for i, path in enumerate(paths)}


def _read_index(folder, captions):
    """({image: its part}, {image: set of its tags}) of `index.csv`, `None` for what is not."""
    path = folder / "index.csv"
    if not path.exists():
        return None, None
    images = {image.name: image for image in captions}
    parts, tags = {}, {}
    for line, row in _rows(path, _lines(path), ("image",)):
        image = images.get(row["image"])
        if image is None or image in parts:
            state = "no image" if image is None else "a second line of"
            raise InputError(f"{path}: line {line}: {state} {row['image']}: remove the line")
        parts[image] = row.get("split")
        if parts[image] not in (None, *PARTS, *OTHER_PARTS):
            raise InputError(
                f"{path}: line {line}: split {parts[image]!r}: train, test or val is expected"
            )
        tags[image] = {each.strip() for each in (row.get("tags") or "").casefold().split(";")}
    for image in images.values():
        if image not in parts:
            raise InputError(f"{path}: no line of {image.name}: add it")
    return None if None in parts.values() else parts, tags if "tags" in row else None


def _with_tag(folder, paths, captions, tags, tag):
    """Those of the images that have a tag."""
    if tags is not None:
        where, wanted = folder / "index.csv", tag.casefold().strip()
    else:
        where, wanted = folder, " ".join(tokenize(tag))
        if len(wanted.split()) != 1:
            raise InputError(f"tag {tag!r}: a word of the captions is expected")
        tags = {path: set(tokenize(" ".join(captions[path]))) for path in paths}
    found = [path for path in paths if wanted and wanted in tags[path]]
    if not found:
        counts = Counter(each for path in paths for each in tags[path] if each)
        known = ", ".join(sorted(counts, key=lambda each: (-counts[each], each))[:12])
        raise InputError(f"{where}: no image has the tag {tag!r}: try another, such as {known}")
    return found


# Text ---------------------------------------------------------------------------------------


def _lines(path):
    """The lines of a UTF-8 text file, without the empty ones at its end."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}: line {line}: not UTF-8: save the file as UTF-8") from None
    lines = re.split("\r\n|\r|\n", text)
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _rows(path, lines, columns):
    """(line, row as dict) of a CSV file with a header that has these columns."""
    reader = csv.DictReader(lines, strict=True)
    try:
        for column in columns:
            if column not in (reader.fieldnames or ()):
                raise InputError(f"{path}: line 1: no column {column}: name the columns there")
        for row in reader:
            if None in row or None in row.values():
                raise InputError(
                    f"{path}: line {reader.line_num}: {len(reader.fieldnames)} fields are "
                    "expected: mend the line (quote a comma)"
                )
            yield reader.line_num, row
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}: mend the line") from None


def _caption(text, path, line):
    """A caption of a file, without blanks around it."""
    if not any(map(str.isalnum, text)):
        raise InputError(
            f"{path}: line {line}: a caption without a word: write one, or remove the line"
        )
    return text.strip()
