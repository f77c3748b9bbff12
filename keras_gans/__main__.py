"""`python -m keras_gans`: use a trained model on files.

Each subcommand imports what it needs only when it is called.
"""

from pathlib import Path
from typing import Annotated, Literal

import tyro
from tyro.conf import Positional, arg

from keras_gans.errors import report_input_errors

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
    as_json: Annotated[bool, arg(name="json")] = False,
):
    """Takes the colour of the light out of photographs.

    Writes for every photo the corrected one, of the same name and format, and
    NAME_map.png: the photo, the light found in each part of it, and the corrected photo.
    8-bit JPEG, PNG and TIFF are read and written as sRGB, 16-bit PNG and TIFF as linear
    RGB. Prints the illuminants as a table. Nothing is written if any input is bad.

    The model is shown either the whole photo, reduced to one patch (--view whole), or
    patches of it, whose median counts: of the photo as it is (--view native) or reduced
    to so many pixels on its shorter side (--view 512).

    Example: python -m keras_gans white-balance holiday/ party.jpg --out corrected

    Args:
        photos: Photos, or folders of photos (.jpg .jpeg .png .tif .tiff).
        out: Folder for the results; made if it is missing. No input is overwritten.
        model: SavedModel's folder, of which the highest version is taken, or a version's. By
            default saved_models/dscnn for linear photos, saved_models/dscnn-photos for sRGB.
        view: What the model is shown; "model" is what it was trained on.
        as_json: Print a JSON list instead of the table.
    """
    from keras_gans.dscnn.white_balance import white_balance

    white_balance(photos, out, model=model, view=view, as_json=as_json)


@report_input_errors
def main(args=None):
    """Runs one subcommand.

    Args:
        args: list of str, the command line without the program; None is `sys.argv`.
    """
    app.cli(
        prog="python -m keras_gans",
        description="Use a trained model on files.",
        args=args,
        config=(tyro.conf.FlagCreatePairsOff,),
    )


if __name__ == "__main__":
    main()
