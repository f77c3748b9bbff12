"""`keras-gans batch`: the commands on millions of files, by Apache Beam."""

import logging
import shlex
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

batch = tyro.extras.SubcommandApp()
HELP = "Does the same to millions of files, on this machine or on many, by Apache Beam."

Patterns = Annotated[
    Positional[list[str]], arg(metavar="PATTERN [PATTERN ...]", help_behavior_hint="")
]


def with_options(args: list[str]) -> list[str]:
    """Arguments of which those behind a bare -- are one: `--options`."""
    if args[:1] != ["batch"] or "--" not in args:
        return args
    at = args.index("--")
    return [*args[:at], f"--options={shlex.join(args[at + 1 :])}"]


@batch.command(name="white-balance")
def white_balance(
    patterns: Patterns,
    /,
    out: str,
    model: Path | None = None,
    view: Literal["model", "whole", "native"] | int = "model",
    given: Annotated[Literal["srgb", "linear"] | None, arg(name="input")] = None,
    raw_format: Literal["tiff", "jpeg"] = "tiff",
    xmp: bool = False,
    strength: Literal["auto"] | float = "auto",
    runner: str = "DirectRunner",
    options: str = "",
) -> None:
    """Takes the colour of the light out of photographs, as `keras-gans white-balance` does.

    Also writes illuminants.csv, all rows sorted by file. Bad files are listed in bad.jsonl
    with the reason, and stop nothing. What is done already is left out: after an
    interruption give the same command again.

    Example: keras-gans batch white-balance 'gs://photos/**.jpg' --out gs://corrected
    --runner DataflowRunner -- --project mine --region europe-west1

    Args:
        patterns: Files, in quotes: * and ? match within a folder, ** across folders.
        out: Folder for the results, with the folders of the files.
        model: See `keras-gans white-balance --help`; so are view, input, raw-format, xmp and
            strength.
        view: What the model is shown.
        given: What files hold that do not say it themselves.
        raw_format: Raw files become NAME.tiff of 16 bits, or NAME.jpg.
        xmp: Write NAME.xmp beside a raw file's results.
        strength: How much of the light is taken out.
        runner: What runs it: DirectRunner is this machine, all cores; FlinkRunner,
            DataflowRunner, SparkRunner and others take options.
        options: Pipeline options of the runner; all behind a bare -- are such.
    """
    from keras_gans.commands.photo_files import Wishes

    wishes = Wishes(given, raw_format, xmp, strength)
    files = _beam().WhiteBalance(patterns, out, model, view, wishes)
    _run("white-balance", files, runner, options)


@batch.command
def detect(
    patterns: Patterns,
    /,
    out: str,
    model: Path | None = None,
    min_area: int = 1,
    runner: str = "DirectRunner",
    options: str = "",
) -> None:
    """Finds defects in images of a surface, as `keras-gans detect` does.

    Writes overlays, masks and detections.csv, sorted by file. Bad files are listed in
    bad.jsonl with the reason, and stop nothing. What is done already is left out: after an
    interruption give the same command again.

    Example: keras-gans batch detect 'surfaces/*.png' --out found

    Args:
        patterns: Files, in quotes: * and ? match within a folder, ** across folders.
        out: Folder for the results, with the folders of the files.
        model: SavedModel's folder with its .tflite files. By default saved_models/defectgan.
        min_area: Regions of fewer pixels are no defects.
        runner: What runs it: DirectRunner is this machine, all cores; FlinkRunner,
            DataflowRunner, SparkRunner and others take options.
        options: Pipeline options of the runner; all behind a bare -- are such.
    """
    _run("detect", _beam().Detect(patterns, out, model, min_area), runner, options)


@batch.command
def classify(
    patterns: Patterns,
    /,
    out: str,
    model: Path | None = None,
    runner: str = "DirectRunner",
    options: str = "",
) -> None:
    """Tells what is on images, as `keras-gans classify` does.

    Writes classes.csv, sorted by file. Bad files are listed in bad.jsonl with the reason, and
    stop nothing. What is done already is left out: after an interruption give the same
    command again.

    Example: keras-gans batch classify 's3://digits/*.png' --out s3://classes

    Args:
        patterns: Files, in quotes: * and ? match within a folder, ** across folders.
        out: Folder for the results.
        model: SavedModel's folder with its .tflite files. By default
            saved_models/frgan-classifier.
        runner: What runs it: DirectRunner is this machine, all cores; FlinkRunner,
            DataflowRunner, SparkRunner and others take options.
        options: Pipeline options of the runner; all behind a bare -- are such.
    """
    _run("classify", _beam().Classify(patterns, out, model), runner, options)


def _beam():
    logging.getLogger().setLevel(logging.ERROR)  # it warns of what it does not need
    from keras_gans import beam

    return beam


def _run(command, files, runner, options):
    from keras_gans.beam.run import run

    run(command, files, runner, shlex.split(options))
