"""The page in headless Chromium: a real upload, and what comes back."""

import importlib.util
import shutil
import signal
import subprocess
import sys

import pytest

if importlib.util.find_spec("gradio") is None:
    pytest.skip("Gradio is missing: pip install keras_gans[page]", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is missing")
CHROMIUM = shutil.which("chromium")
if CHROMIUM is None:
    pytest.skip("there is no chromium: apt-get install chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def page():
    """The open page; what it asked of other machines is in `page.elsewhere`."""
    command = [sys.executable, "-m", "keras_gans", "page", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        address = line.split()[1]
        assert address.startswith("http://127.0.0.1:")
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            page = browser.new_page()
            page.set_default_timeout(90_000)  # milliseconds; machines may be busy
            page.elsewhere = []
            here = (address, "data:", "blob:")
            page.on("request", lambda r: r.url.startswith(here) or page.elsewhere.append(r.url))
            page.goto(address)
            page.get_by_text("Gains of red").wait_for()
            yield page
            browser.close()
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def test_an_uploaded_photo_comes_back_as_the_command_corrects_it(
    page, photo, balanced, tmp_path
):
    own = tmp_path / "wall.jpg"
    shutil.copy(photo, own)
    page.get_by_label("Remove").or_(page.get_by_label("Clear")).first.click()
    page.locator("input[type=file]").first.set_input_files(own)
    link = page.locator("a[download='wall.jpg']")
    link.wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the corrected photo").click()
    assert download.value.suggested_filename == "wall.jpg"
    _, out = balanced
    assert download.value.path().read_bytes() == (out / photo.name).read_bytes()


def test_what_cannot_be_read_is_told_in_a_sentence(page, tmp_path):
    broken = tmp_path / "broken.jpg"
    broken.write_text("no picture")
    page.get_by_label("Clear").first.click()
    page.locator("input[type=file]").first.set_input_files(broken)
    toast = page.get_by_test_id("toast-body")
    toast.wait_for()
    assert "broken.jpg: " in toast.inner_text() and "/" not in toast.inner_text()


def test_the_threshold_redraws_the_defects(page):
    page.get_by_role("tab", name="Defects").click()
    page.get_by_text("1 region").wait_for()
    page.get_by_role("spinbutton").first.fill("20")
    page.get_by_role("spinbutton").first.press("Enter")
    page.get_by_text("no defect").wait_for()


def test_nothing_leaves_the_machine(page):
    assert page.elsewhere == []
