"""What the tests of the commands share: a command is run, or refuses its input."""

import pytest

from keras_gans.__main__ import main


def calls(command):
    """Two functions of `capsys` and arguments: one runs the command, one sees it refuse.

    The first returns what was printed; the second the error, one line with exit code 2.
    """

    def run(capsys, *arguments):
        main([command, *map(str, arguments)])
        return capsys.readouterr()

    def fails(capsys, *arguments):
        with pytest.raises(SystemExit) as stop:
            main([command, *map(str, arguments)])
        captured = capsys.readouterr()
        assert stop.value.code == 2 and captured.out == ""
        assert captured.err.startswith("keras_gans: error: ")
        assert captured.err.count("\n") == 1
        return captured.err

    return run, fails
