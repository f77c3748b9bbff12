"""`keras-gans`, or `python -m keras_gans`: use a trained model on files.

Each subcommand imports what it needs only when it is called.
"""

from keras_gans.program import report_input_errors

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from keras_gans.commands import batch
from keras_gans.commands.models import Backend
from keras_gans.errors import InputError

app = tyro.extras.SubcommandApp()


@app.command(name="white-balance")
def white_balance(
    photos: Annotated[
        Positional[list[Path]],
        arg(metavar="PHOTO [PHOTO ...]", help_behavior_hint=""),
    ],
    /,
    out: Path,
    model: Path | None = None,
    view: Literal["model", "whole", "native"] | int = "model",
    given: Annotated[Literal["srgb", "linear"] | None, arg(name="input")] = None,
    raw_format: Literal["tiff", "jpeg"] = "tiff",
    xmp: bool = False,
    strength: Literal["auto"] | float = "auto",
    as_json: Annotated[bool, arg(name="json")] = False,
    backend: Backend = "litert",
) -> None:
    """Takes the colour of the light out of photographs.

    Writes for every photo the corrected one, of the same name and format, and
    NAME_map.png: the photo, the light found in each part of it, and the corrected photo.
    A profile, PNG chunk or tag says what the values of a file are; where none does, 8 bits
    are taken for sRGB and deeper files for a camera's linear colours. Camera raw files, which
    need keras_gans[raw], are developed. Prints the illuminants as a table. Nothing is written
    if any input is bad.

    The model is shown either the whole photo, reduced to one patch (--view whole), or
    patches of it, whose median counts: of the photo as it is (--view native) or reduced
    to so many pixels on its shorter side (--view 512).

    Example: keras-gans white-balance holiday/ party.jpg --out corrected

    Args:
        photos: Photos, or folders of photos (.jpg .jpeg .png .tif .tiff, and raw: .dng .nef
            .cr2 .cr3 .arw .raf .orf .rw2 and others).
        out: Folder for the results; made if it is missing. No input is overwritten.
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/dscnn for linear photos, saved_models/dscnn-photos for sRGB.
        view: What the model is shown; "model" is what it was trained on.
        given: What files hold that do not say it themselves. A file that says otherwise is
            believed, and a line tells so.
        raw_format: Raw files become NAME.tiff of 16 bits, or NAME.jpg.
        xmp: Write NAME.xmp beside a raw file's results: the white balance for Lightroom and
            Camera Raw.
        strength: How much of the light is taken out, from 0 to 1; "auto" takes less out of a
            finished photo where the model is unsure.
        as_json: Print a JSON list instead of the table.
        backend: "litert" needs no TensorFlow; a model without .tflite files runs on TensorFlow.
    """
    from keras_gans.commands.white_balance import Wishes, white_balance

    wishes = Wishes(given, raw_format, xmp, strength)
    white_balance(photos, out, model, view, as_json, backend, wishes)


@app.command
def detect(
    images: Annotated[
        Positional[list[Path]],
        arg(metavar="IMAGE [IMAGE ...]", help_behavior_hint=""),
    ],
    /,
    out: Path,
    model: Path | None = None,
    min_area: int = 1,
    fail_on_defect: bool = False,
    good: Path | None = None,
    false_alarms: float | None = None,
    new_surface: bool = False,
    watch: bool = False,
    as_json: Annotated[bool, arg(name="json")] = False,
    backend: Backend = "litert",
) -> None:
    """Finds defects in images of a surface.

    Writes for every image NAME_overlay.png, the image with its defects outlined, and
    NAME_mask.png, white where a defect is; and detections.csv: score, mask area and boxes
    of all. The score is the largest difference, in grey levels, between the image and what
    the model makes of it, which is the surface without defects. Prints a table. Nothing is
    written if any input is bad.

    Exit code: 0; 1 with --fail-on-defect, if an image has a defect; 2 for bad input.

    With --watch it goes on until it is stopped: what comes into a folder is inspected at once,
    and listed in detections.jsonl; what cannot be read is listed with the reason. Started
    anew, it goes on where it was. A note tells when the scores move.

    Example: keras-gans detect shift-3/ sample.png --out found --fail-on-defect
    Example: keras-gans detect camera/ --out found --watch --good good/ --false-alarms 0.01
    Example: keras-gans detect parts/ --out found --good good/ --new-surface

    Args:
        images: Images, or folders of images (.jpg .jpeg .png .tif .tiff .bmp), of 8 bits.
        out: Folder for the results; made if it is missing. No input is overwritten.
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/defectgan.
        min_area: Regions of fewer pixels are no defects.
        fail_on_defect: Exit with code 1 if any image has a defect.
        good: Folder of images without defects that the model was not trained on. From their
            scores follows from which score on an image has a defect.
        false_alarms: The share of such images that may be flagged, 0.05 where none is given.
        new_surface: The model was not trained on this surface: take the levels that cut the
            masks from the images in --good, too.
        watch: Watch one folder.
        as_json: Print a JSON list instead of the table.
        backend: "litert" needs no TensorFlow; a model without .tflite files runs on TensorFlow.
    """
    from keras_gans.commands.detect import Detector, detect_files, with_false_alarms
    from keras_gans.commands.false_alarms import FalseAlarms

    for option, given in (
        ("--false-alarms", false_alarms is not None),
        ("--new-surface", new_surface),
    ):
        if given and not good:
            raise InputError(f"{option} is for --good: give a folder of good images")
    share = 0.05 if false_alarms is None else false_alarms
    wanted = FalseAlarms(good, share, new_surface) if good else None
    if watch:
        if fail_on_defect or as_json:
            raise InputError("--watch goes on and lists: leave out --fail-on-defect and --json")
        from keras_gans.commands.watch import watch as watch_folder

        detector = Detector.find(model, backend)
        detector = with_false_alarms(detector, wanted) if wanted else detector
        watch_folder(images, out, detector, min_area)
        return
    rows = detect_files(images, out, model, min_area, as_json, backend, wanted)
    if fail_on_defect and any(row["defective"] for row in rows):
        sys.exit(1)


@app.command
def classify(
    images: Annotated[
        Positional[list[Path]],
        arg(metavar="IMAGE [IMAGE ...]", help_behavior_hint=""),
    ],
    /,
    model: Path | None = None,
    out: Path | None = None,
    as_json: Annotated[bool, arg(name="json")] = False,
    backend: Backend = "litert",
) -> None:
    """Tells what is on images, of the classes that the model was trained on.

    Prints a table: the likeliest class of each image, its probability, and the second guess;
    with --out also as a CSV file. Of images that are not square the middle is looked at.
    Nothing is written if any input is bad.

    Example: keras-gans classify digits/ door.jpg --out classes.csv

    Args:
        images: Images, or folders of images (.jpg .jpeg .png .tif .tiff).
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/frgan-classifier.
        out: CSV file to write. No input is overwritten.
        as_json: Print a JSON list, with the probabilities of all classes, instead of the table.
        backend: "litert" needs no TensorFlow; a model without .tflite files runs on TensorFlow.
    """
    from keras_gans.commands.classify import classify_files

    classify_files(images, out, model, as_json, backend)


@app.command
def generate(
    out: Path,
    model: Path | None = None,
    count: int = 24,
    seed: int = 0,
    label: str | None = None,
    backend: Backend = "litert",
) -> None:
    """Makes images with a trained generator.

    Writes 00001.png, 00002.png and so on, and grid.png, the first 100 side by side. The same
    seed gives the same images; a larger count gives more after them.

    Example: keras-gans generate --count 100 --seed 7 --out made

    Args:
        out: Folder for the images; made if it is missing. No file in it is overwritten.
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/frgan-generator.
        count: Number of images.
        seed: Where the random numbers start: 0 to 2**63 - 1.
        label: Name of the class to make images of, if the model was trained with classes. By
            default each image has one at random.
        backend: "litert" needs no TensorFlow; a model without .tflite files runs on TensorFlow.
    """
    from keras_gans.commands.generate import generate

    generate(out, model, count, seed, label, backend)


@app.command
def draw(
    sentences: Annotated[
        Positional[tuple[str, ...]],
        arg(metavar="SENTENCE [SENTENCE ...]", help_behavior_hint=""),
    ] = (),
    /,
    *,
    out: Path,
    model: Path | None = None,
    file: Path | None = None,
    words: bool = False,
    size: int | None = None,
    backend: Backend = "litert",
) -> None:
    """Draws sentences, with a model that was trained on images and their captions.

    Words that the model does not know are told; a sentence that has no other is refused.
    Nothing is written if any sentence cannot be drawn.

    Example: keras-gans draw "this flower is pink" --out flower.png --words

    Args:
        sentences: Sentences, each in quotes.
        out: NAME.png for the picture of one sentence, which replaces one that is there; or a
            folder, made if it is missing, for 00001.png and so on, in the order of the
            sentences. No file in the folder is overwritten.
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/text2image.
        file: Text file (UTF-8) with a sentence a line, instead of SENTENCE.
        words: Write NAME_words.png beside every NAME.png: the pictures word by word, each
            under its word.
        size: Side of the pictures in pixels; by default the model's.
        backend: "litert" needs no TensorFlow; a model without .tflite files runs on TensorFlow.
    """
    from keras_gans.commands.draw import draw

    draw(sentences, file, out=out, model=model, words=words, size=size, backend=backend)


@app.command
def evaluate(
    real: Path,
    fake: Path,
    inception: Path | None = None,
    network: Path | None = None,
    seed: int = 0,
    cache: Path | None = None,
    as_json: Annotated[bool, arg(name="json")] = False,
) -> None:
    """Measures how near made images are to real ones: Frechet distance (FID), KID, and shares.

    All images of both folders need one size. A network has to look at them: EfficientNet-Lite0,
    if keras_gans[eyes] is installed, or the one that is named. With the Inception graph of 2015
    the distance is FID; with another network it is named after that one, and cannot be compared
    with published values. The shares are precision and recall, density and coverage. A network
    that classifies also gives the Inception score, over 10 splits, or fewer if they would have
    fewer than 10 images.

    Example: keras-gans evaluate --real photos --fake made --network classifier.keras

    Args:
        real: Folder of real images.
        fake: Folder of made images; grid.png, which generate writes, is left out.
        inception: classify_image_graph_def.pb (of inception-2015-12-05.tgz), or
            keras.applications' InceptionV3 weights without top (.h5), which give fid_keras.
        network: Keras model (.keras) that takes images in [-1, 1]; what its last Dense layer
            takes are the features.
        seed: Of the random subsets of KID.
        cache: Folder that keeps the features of real images, for the next time. By default
            keras_gans/features in your cache folder.
        as_json: Print a JSON list instead of the table.
    """
    from keras_gans.commands.evaluate import evaluate

    evaluate(real, fake, inception, network, seed=seed, cache=cache, as_json=as_json)


@app.command
def page(host: str = "127.0.0.1", port: int | None = None, browser: bool = True) -> None:
    """Shows a page in the browser that does all this with pictures you drop there.

    Nothing leaves the machine. It needs Gradio: pip install "keras_gans[page]". Ctrl-C ends it.

    Args:
        host: Address to listen at. The default is for this machine alone; whoever reaches
            another one can use the page.
        port: By default the first free one from 7860.
        browser: Whether it is opened in the browser.
    """
    from keras_gans.page.app import serve

    serve(host, port, browser)


app.command(batch.batch, name="batch", help=batch.HELP)


@report_input_errors
def main(args: list[str] | None = None) -> None:
    """Runs one subcommand.

    Args:
        args: list of str, the command line without the program; None is `sys.argv`.
    """
    app.cli(
        prog="keras-gans",
        description="Use a trained model on files.",
        args=batch.with_options(sys.argv[1:] if args is None else args),
        config=(tyro.conf.FlagCreatePairsOff,),
    )


if __name__ == "__main__":
    main()
