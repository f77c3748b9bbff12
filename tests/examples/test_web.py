"""The web page of examples/web in headless Chromium: a photo corrected in the browser."""

import base64
import functools
import http.server
import io
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_gans
from keras_gans.page import examples

WEB = Path(__file__).parents[2] / "examples" / "web"
MODEL = WEB.parents[1] / "saved_models" / "dscnn-photos" / "dscnn-64-float32.tflite"

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
for program in ("chromium", "npm"):
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program}", allow_module_level=True)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The page as it is served, its packages installed; those of the checkout are taken."""
    folder = tmp_path_factory.mktemp("repository") / "examples" / "web"
    shutil.copytree(WEB, folder)
    model = folder.parents[1] / MODEL.relative_to(WEB.parents[1])
    model.parent.mkdir(parents=True)
    shutil.copy(MODEL, model)
    if not (folder / "node_modules").is_dir():
        quick = ("--fetch-retries=0", "--no-audit", "--no-fund", "--no-package-lock")
        command = ["npm", "install", *quick]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"npm cannot install the packages: {done.stderr.strip()[-200:]}")
    subprocess.run(["npm", "run", "model"], cwd=folder, check=True, capture_output=True)
    handler = functools.partial(Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_the_browser_corrects_a_photo_as_the_command_does(address, tmp_path):
    photo = tmp_path / "photo.png"
    Image.open(examples.photos(tmp_path)[0]).crop((3, 5, 473, 318)).save(photo)
    elsewhere = []
    with playwright.sync_playwright() as driver:
        options = {"executable_path": shutil.which("chromium"), "args": ["--no-sandbox"]}
        with driver.chromium.launch(**options) as browser:
            page = browser.new_page()
            here = (address, "data:", "blob:")
            page.on("request", lambda r: r.url.startswith(here) or elsewhere.append(r.url))
            page.goto(address)
            page.locator("input:enabled").set_input_files(photo)
            page.get_by_text("Light: ").wait_for()
            light = page.locator("output").inner_text().split()[1:]
            url = page.evaluate("document.querySelector('canvas').toDataURL()")
            page.set_input_files("input", __file__)
            page.get_by_text("Not corrected: ").wait_for()
    assert elsewhere == []
    picture = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB")
    corrected, illuminant = keras_gans.white_balance(Image.open(photo))
    np.testing.assert_allclose([float(value) for value in light], illuminant, atol=1e-5)
    difference = np.asarray(picture, int) - corrected
    assert abs(difference).max() <= 1 and (difference != 0).mean() < 0.01
