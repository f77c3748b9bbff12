"""How a generator sees images of any size."""

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """What is done to images before a generator sees them, and in which pieces it does.

    Attributes:
        tile: side in pixels of what it sees at once, a multiple of 4: the crops of training.
        overlap: pixels that neighbouring tiles share, see `tiles.clean_in_tiles`.
        reduce: whole factor by which images are reduced. The generator's change is enlarged
            again and added to the image as it was.
        flatten: radius of the flat-field correction, see `flatten.flattened`; 0 for none.
    """

    tile: int
    overlap: int | None = None
    reduce: int = 1
    flatten: int = 0
