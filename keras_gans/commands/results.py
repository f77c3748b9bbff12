"""What commands do with their results: where they go, how they are listed and shown."""

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from keras_gans.errors import InputError


def check_targets(paths, targets):
    """Finds out whether results would overwrite an input, or each other.

    Args:
        paths: `Path`s of the inputs.
        targets: of each input a sequence of `Path`, the files that are made of it.

    Raises:
        InputError: they would; on a disk that ignores letter case, too.
    """
    inputs = {path.resolve() for path in paths}
    owners = {}
    for path, files in zip(paths, targets, strict=True):
        for target in files:
            if target.resolve() in inputs:
                raise InputError(f"{target}: would overwrite an input: give another --out")
            other = owners.setdefault(str(target).lower(), path)
            if other is not path:
                raise InputError(
                    f"{path} and {other}: both would be written to {target}: "
                    "rename one, or give them apart with another --out"
                )


def progress(console):
    """A progress bar on a console, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
