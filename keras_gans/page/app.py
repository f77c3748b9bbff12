"""The page itself, in Gradio."""

import contextlib
import functools
import html
import os
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from keras_gans.commands import detect as defects
from keras_gans.commands import generate as made
from keras_gans.commands import photo_files
from keras_gans.data.images import SUFFIXES
from keras_gans.errors import InputError, printable
from keras_gans.page import examples, work

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
try:
    import gradio as gr
    from starlette.middleware import Middleware
except ImportError as error:
    raise InputError(
        f'the page needs Gradio ({error}): pip install "keras_gans[page]"'
    ) from None

UPLOAD = "64mb"
WAITING = 16  # calls that wait for their turn; one is worked on at a time
KEPT = 3600  # seconds that uploads and results stay on the disk
FONT = ("system-ui", "sans-serif")
CSS = """
.gradio-container { width: 100% !important; max-width: 1080px !important; margin: auto }
.examples { min-height: 0 !important }
.examples .grid-wrap { height: auto !important; min-height: 0 !important; padding: 8px }
.examples .grid-container { grid-template-columns: repeat(4, minmax(0, 1fr)) !important }
footer { display: none !important }
"""
# The browser, too, sends nothing elsewhere, whatever Gradio's scripts ask for.
POLICY = b"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:"


def serve(host: str, port: int | None, browser: bool) -> None:
    """Shows the page until Ctrl-C.

    Args:
        host: address to listen at; 127.0.0.1 is this machine alone.
        port: `None` for the first free one from 7860.
        browser: whether to open it.

    Raises:
        InputError: the address cannot be used.
    """
    with started(host, port, browser) as address:
        print(f"keras_gans: {address} (Ctrl-C ends it)", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


@contextlib.contextmanager
def started(host: str = "127.0.0.1", port: int | None = None, browser: bool = False):
    """The page, and its folder of files, while it is needed: its address."""
    with tempfile.TemporaryDirectory(prefix="keras_gans-page-") as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            with socket.create_server((host, port or 0)):  # Gradio tells it a hundred times
                pass
            page = build(Path(folder))
            page.queue(max_size=WAITING, default_concurrency_limit=1)
            _, address, _ = page.launch(
                server_name=host,
                server_port=port,
                inbrowser=browser,
                prevent_thread_lock=True,
                quiet=True,
                share=False,
                ssr_mode=False,
                enable_monitoring=False,
                footer_links=[],
                max_file_size=UPLOAD,
                theme=gr.themes.Base(primary_hue="blue", font=FONT, font_mono=("monospace",)),
                css=CSS,
                app_kwargs={"middleware": [Middleware(_Policy)]},
            )
        except (OSError, OverflowError):
            where = host if port is None else f"{host}, port {port}"
            raise InputError(
                f"{where}: cannot be listened at: name another --host or --port"
            ) from None
        try:
            yield address
        finally:
            page.close(verbose=False)


class _Policy:
    """Adds `POLICY` to every answer."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        async def sent(message):
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self.app(scope, receive, sent if scope["type"] == "http" else send)


def build(folder: Path) -> gr.Blocks:
    """The page.

    Args:
        folder: for examples and results, inside the folder for temporary files.
    """
    with gr.Blocks(
        title="keras_gans", analytics_enabled=False, delete_cache=(KEPT, KEPT)
    ) as page:
        gr.Markdown("# keras_gans\nPictures stay on this machine.")
        with gr.Tab("White balance", id="white-balance"):
            _white_balance(page, folder)
        with gr.Tab("Defects", id="defects"):
            _defects(page, folder)
        with gr.Tab("Classify", id="classify"):
            _classify(page, folder)
        with gr.Tab("Generate", id="generate"):
            _generate(page)
        with gr.Tab("Draw", id="draw"):
            _draw(page)
    return page


def told(function):
    """Shows an `InputError` as a sentence."""

    @functools.wraps(function)
    def run(*arguments):
        try:
            return function(*arguments)
        except InputError as error:
            text = printable(error)
        for given in arguments:  # nobody has to see where uploads lie
            if isinstance(given, str) and os.path.isabs(given):
                text = text.replace(os.path.dirname(given) + os.sep, "")
        raise gr.Error(html.escape(text, quote=False), title="", print_exception=False)

    return run


def _chooser(page, what, suffixes, paths):
    """Where a picture is dropped, or chosen of the examples; the first is, at the start."""
    file = gr.File(
        label=f"Drop {what} here", file_types=list(suffixes), height=140, type="filepath"
    )
    if paths:
        paths = [str(path) for path in paths]
        gr.Markdown("or take one of these, drawn by keras_gans:")
        gallery = gr.Gallery(
            paths, show_label=False, columns=4, height="auto", format="png",
            allow_preview=False, interactive=False, object_fit="cover", buttons=[],
            elem_classes="examples",
        )  # fmt: skip

        def chosen(event: gr.SelectData):
            return paths[event.index]

        gallery.select(chosen, None, file, show_progress="hidden", api_visibility="private")
        page.load(lambda: paths[0], None, file, api_visibility="private")
    return file


def _picture(label, buttons=("download", "fullscreen"), **options):
    return gr.Image(
        label=label, format="png", interactive=False, buttons=list(buttons), **options
    )


def _on(events, function, inputs, outputs, **options):
    gr.on(events, told(function), inputs, outputs, api_visibility="private", **options)


# Tabs -------------------------------------------------------------------------------------


def _white_balance(page, folder):
    def run(path):
        if path is None:
            return None, None, "", gr.DownloadButton(interactive=False)
        for old in folder.glob("result-*"):  # Gradio deletes its copies alone
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
        out = Path(tempfile.mkdtemp(prefix="result-", dir=folder))
        before, after, local_map, row = work.white_balance(Path(path), out)
        gains = " ".join(f"{value:.2f}" for value in row["gains"])
        button = gr.DownloadButton(value=row["corrected"], interactive=True)
        sure = row["confidence"]
        sure = "" if sure is None else f" Confidence: **{sure:.2f}**."
        text = f"Gains of red, green and blue: **{gains}**.{sure} {work.told(row)}"
        return (before, after), local_map, text, button

    with gr.Row():
        with gr.Column(scale=2):
            file = _chooser(page, "a photo", photo_files.SUFFIXES, examples.photos(folder))
        with gr.Column(scale=3):
            slider = gr.ImageSlider(
                label="Before and after", format="jpeg", interactive=False, max_height=560
            )
            gains = gr.Markdown()
            button = gr.DownloadButton(
                "Download the corrected photo", variant="primary", interactive=False
            )
            local_map = _picture("Light in each part")
    _on([file.change], run, file, [slider, local_map, gains, button])


def _defects(page, folder):
    def look(path):
        if path is None:
            return None, gr.Slider(interactive=False), None, None, ""
        surface = work.surface(Path(path))
        limit = surface.detector.limit
        slider = gr.Slider(value=limit, maximum=surface.top, interactive=True)
        return surface, slider, *redraw(surface, limit)

    def redraw(surface, threshold):
        if surface is None:
            return None, None, ""
        score, boxes = surface.difference.max(), surface.found(threshold)[1]
        regions = f"{len(boxes)} region" + "s" * (len(boxes) != 1)
        text = f"Score **{score:.1f}**: " + (f"**{regions}**" if boxes else "**no defect**")
        text += f". The model's own threshold is {surface.detector.limit:.1f}."
        return surface.overlay(threshold), surface.histogram(threshold), text

    suffixes = defects.SUFFIXES
    with gr.Row():
        with gr.Column(scale=2):
            file = _chooser(page, "a surface", suffixes, examples.surfaces(folder))
            gr.Markdown(
                "The model that comes with keras_gans knows drawn surfaces, such as these. "
                "For another one move the threshold until good images are free."
            )
        with gr.Column(scale=3):
            overlay = _picture("Defects")
            text = gr.Markdown()
            slider = gr.Slider(0, 20, step=0.125, label="Threshold, grey levels")
            histogram = _picture("Histogram", buttons=(), show_label=False)
            gr.Markdown(
                "Pixels by their difference from the surface without defects, in red those "
                "above the threshold."
            )
    surface = gr.State()
    shown = [overlay, histogram, text]
    _on([file.change], look, file, [surface, slider, *shown])
    _on(
        [slider.input], redraw, [surface, slider], shown,
        show_progress="hidden", trigger_mode="always_last",
    )  # fmt: skip


def _classify(page, folder):
    def run(path):
        return (None, None) if path is None else work.classify(Path(path))

    with gr.Row():
        with gr.Column(scale=2):
            file = _chooser(page, "a picture", SUFFIXES, examples.digits(folder))
        with gr.Column(scale=3), gr.Row():
            picture = _picture("Picture")
            label = gr.Label(label="Class", num_top_classes=5)
    _on([file.change], run, file, [picture, label])


def _generate(page):
    try:
        names = work.model(made.MODEL).classes
    except InputError:
        names = ()
    anything = "any"

    def run(count, seed, label=anything):
        return work.generate(count, seed, None if label == anything else label)

    with gr.Row():
        with gr.Column(scale=2):
            inputs = [
                gr.Slider(1, work.COUNT, 36, step=1, label="Images"),
                gr.Number(0, label="Seed", precision=0, minimum=0),
            ]
            if names:
                inputs.append(gr.Dropdown([anything, *names], value=anything, label="Class"))
            button = gr.Button("Generate", variant="primary")
            more = gr.Button("Another seed")
        with gr.Column(scale=3):
            picture = _picture("Images")
    more.click(
        lambda: int(np.random.default_rng().integers(10**6)), None, inputs[1],
        api_visibility="private",
    ).then(told(run), inputs, picture, api_visibility="private")  # fmt: skip
    events = [button.click, inputs[0].release, inputs[1].submit, page.load]
    _on(events, run, inputs, picture)


def _draw(page):
    def run(sentence):
        picture, strip, notes = work.draw(sentence)
        notes = [html.escape(printable(note)) for note in notes]
        return picture, strip, "<br>".join(notes)

    with gr.Row():
        with gr.Column(scale=2):
            sentence = gr.Textbox(
                examples.SENTENCES[0], label="Sentence", max_length=1000, lines=2
            )
            button = gr.Button("Draw", variant="primary")
            gr.Examples([[each] for each in examples.SENTENCES], sentence, label="Examples")
            notes = gr.Markdown()
        with gr.Column(scale=3):
            picture = _picture("Picture", height=360)
    gr.Markdown("Word by word:")
    strip = _picture("Word by word", buttons=(), show_label=False)
    _on([button.click, sentence.submit, page.load], run, sentence, [picture, strip, notes])
