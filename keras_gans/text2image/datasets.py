"""Images with captions: Oxford flowers, CUB birds, Flickr8k and Flickr30k, or any folder.

All captions are read before the first image, and all images before any training.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np

from keras_gans.data.folders import check_data_folder, images_in, list_images
from keras_gans.data.on_disk import sha256
from keras_gans.data.squares import read_squares
from keras_gans.errors import InputError, printable
from keras_gans.files import remembered
from keras_gans.text2image.captioned_images import PARTS, CaptionedImages, describe
from keras_gans.text2image.captions import (
    Vocabulary,
    count_words,
    load_vocabulary,
    save_vocabulary,
    train_word2vec,
)
from keras_gans.text2image.class_captions import (
    match_captions,
    read_cub,
    read_oxford,
    texts_in,
)
from keras_gans.text2image.config import Config
from keras_gans.text2image.flickr import flickr_captions, read_flickr
from keras_gans.text2image.parts import draw_parts, read_index, with_tag
from keras_gans.text2image.vector_files import load_vectors

LAYOUTS = (
    "jpg/ and text_c10/ (Oxford 102 Flowers), images/ and text_c10/ or text/ (CUB), Images/ "
    "and *.token.txt, *.token, results.csv or captions.txt (Flickr8k, Flickr30k), or NAME.jpg "
    "and NAME.txt"
)


def load(config: Config) -> tuple[CaptionedImages, Vocabulary | None]:
    """All images, and the vectors that a file has of their words (`None` without a file)."""
    if config.data is None:
        print("no --data: built-in flowers, a small network; see text2image/config.py")
        from keras_gans.text2image.synthetic import synthetic_flowers

        images = synthetic_flowers(config.flowers, config.seed, config.image_size)
    else:
        images = load_captioned_images(
            config.data, config.image_size, config.seed, config.tag, config.memory_limit
        )
    check_images(images)
    if config.vectors is None:
        return images, None
    words = count_words(images.sentences()[0])
    vectors = load_vectors(config.vectors, words, config.vector_size, config.trust_vectors)
    return images, vectors


def prepare(
    config: Config, folder: Path, images: CaptionedImages, vectors: Vocabulary | None
) -> tuple[CaptionedImages, Vocabulary]:
    """The images and words of a run: the same as when it was begun."""
    check_unchanged(folder, images)
    if config.cluster is not None:
        images = one_cluster(config, folder, images)
    print(describe(images))
    return images, stored_vocabulary(config, folder, images, vectors)


def check_images(images: CaptionedImages) -> None:
    """Raises `InputError` for too few images to train or to test on."""
    trained, tested = (int(np.sum(images.split == part)) for part in PARTS)
    if trained < 1 or tested < 2:
        raise InputError(
            f"{images.name}: images to train and to test on: {trained} and {tested}; 1 and 2 "
            "are needed"
        )


def check_unchanged(folder: Path, images: CaptionedImages) -> None:
    """Finds out whether these are the images and captions that a run was begun with.

    Raises:
        InputError: they are not.
    """
    digest = sha256(images.images)
    digest.update(json.dumps([images.captions, images.split.tolist()]).encode())
    remembered(folder / "images.json", lambda: len(images), digest.hexdigest())


def one_cluster(config: Config, folder: Path, images: CaptionedImages) -> CaptionedImages:
    """The images of one cluster (section 3); clusters are made once and stored with the run."""
    from keras_gans.text2image.clusters import choose_cluster, vgg16_features

    def sort():
        features = vgg16_features(images.images, config.vgg16)
        _, labels, counts = choose_cluster(
            features, config.components, config.cluster, config.seed
        )
        clusters = dict(zip(images.files, labels.tolist(), strict=True))
        return {"images": counts.tolist(), "clusters": clusters}

    def fits(stored):
        return len(stored["images"]) and set(images.files) <= stored["clusters"].keys()

    stored = remembered(folder / "clusters.json", sort, fits=fits)
    print(f"images in clusters 0 to {config.components - 1}: {stored['images']}")
    chosen = [stored["clusters"][file] == config.cluster for file in images.files]
    name = f"{images.name}, cluster {config.cluster}"
    images = dataclasses.replace(images.take(np.array(chosen)), name=name)
    check_images(images)
    return images


def stored_vocabulary(
    config: Config, folder: Path, images: CaptionedImages, given: Vocabulary | None
) -> Vocabulary:
    """The words and vectors of a run: those of a file, or trained once; stored with the run."""
    path = folder / "vocabulary.npz"
    captions, held_out = (images.take(images.split == part).sentences()[0] for part in PARTS)
    if path.exists():
        vocabulary = load_vocabulary(path)
    else:
        vocabulary = given or train_word2vec(
            captions, config.vector_size, config.skip_gram, epochs=config.word2vec_epochs,
            seed=config.seed,
        )  # fmt: skip
        save_vocabulary(vocabulary, path)
    source = config.vectors or f"word2vec, of {len(captions)} training captions alone"
    print(f"vectors of {len(vocabulary.words) - 2} words: {source}")
    for part, texts in (("training", captions), ("held-out", held_out)):
        unknown = vocabulary.unknown(texts)
        if unknown:
            few = ", ".join(list(unknown)[:10]) + (", ..." if len(unknown) > 10 else "")
            print(
                f"words of {part} captions without a vector, which get the mean of all: "
                f"{sum(unknown.values())} of {count_words(texts).total()} ({few})"
            )
    return vocabulary


def load_captioned_images(
    folder: Path,
    image_size: int = 64,
    seed: int = 0,
    tag: str | None = None,
    memory_limit: int | None = None,
) -> CaptionedImages:
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
        memory_limit: MiB of images from which on they are kept on disk, see `data/on_disk.py`.

    Returns:
        `CaptionedImages`, sorted by file name.

    Raises:
        InputError: no such folder, none of the layouts; an image without caption or a caption
            without image; a caption without a word; text that is not UTF-8; a line that is
            damaged or there twice; nothing with the tag; nothing to train or to test on; a
            damaged image.
    """
    folder = Path(folder)
    check_data_folder(folder, LAYOUTS)
    name, captions, parts, tags = _read_captions(folder, seed)
    paths = sorted(captions)
    if tag is not None:
        paths = with_tag(folder, paths, captions, tags, tag)
        name += f", {tag}"
    paths = [path for path in paths if parts[path] in PARTS]
    split = np.array([parts[path] for path in paths], str)
    for part in PARTS:
        if part not in split:
            also = "" if tag is None else f" with the tag {tag}"
            raise InputError(f"{folder}: no {part} images{also}: add some, or split anew")
    return CaptionedImages(
        printable(name),
        read_squares(paths, image_size, memory_limit),
        tuple(captions[path] for path in paths),
        split,
        tuple(printable(path.relative_to(folder).as_posix()) for path in paths),
    )


def _read_captions(folder, seed):
    """What the folder's layout says, before any image is read.

    Returns:
        (name of the set, {image: its captions}, {image: its part}, {image: its tags} or
        `None`); images are `Path`s.
    """
    texts = [folder / name for name in ("text_c10", "text") if (folder / name).is_dir()]
    if texts and (folder / "jpg").is_dir():
        return read_oxford(folder, texts[0], seed)
    if texts and (folder / "images").is_dir():
        return read_cub(folder, texts[0], seed)
    if flickr_captions(folder):
        return read_flickr(folder, seed)
    if images_in(folder):
        return _read_pairs(folder, seed)
    raise InputError(f"{folder}: unknown layout; expected: {LAYOUTS}")


def _read_pairs(folder, seed):
    images = {}
    for path in list_images(folder):
        if path.stem in images:
            raise InputError(f"{path}: its captions would be those of {images[path.stem]} too")
        images[path.stem] = path
    texts = {path.stem: path for path in texts_in(folder)}
    captions = match_captions(images, texts, lambda name: folder / f"{name}.txt")
    parts, tags = read_index(folder, captions)
    return folder.resolve().name, captions, parts or draw_parts(captions, seed), tags
