"""The example of a few lines against the command."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from keras_gans.__main__ import main
from keras_gans.page import examples

SCRIPT = Path(__file__).parents[2] / "examples" / "lite.py"


def test_a_few_lines_give_the_numbers_of_the_command(tmp_path, capsys):
    photo = examples.photos(tmp_path)[1]
    corrected = tmp_path / "corrected.jpg"
    command = [sys.executable, str(SCRIPT), str(photo), str(corrected)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    main(["white-balance", str(photo), "--out", str(tmp_path / "out"), "--json"])
    [row] = json.loads(capsys.readouterr().out)
    light = [float(value) for value in done.stdout.split(":")[1].split()]
    np.testing.assert_allclose(light, row["illuminant"], atol=1.5e-6)
    ours, theirs = (np.asarray(Image.open(path), int) for path in (corrected, row["corrected"]))
    assert (ours != theirs).mean() < 0.001 and abs(ours - theirs).max() <= 3
