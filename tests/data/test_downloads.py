import hashlib
import io
import os
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import Request

import numpy as np
import pytest

from keras_gans.data.downloads import _WebAlone, download
from keras_gans.errors import InputError

CONTENT = np.random.default_rng(0).bytes(700_001)
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves `server.content` as the server's switches say; notes the ranges asked for."""

    def do_GET(self):
        server, content = self.server, self.server.content
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.location:
            self.send_response(302)
            self.send_header("Location", server.location)
            return self.end_headers()
        if self.path != "/data.bin":
            return self.send_error(404)
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted else 0
        if server.ranges and start:
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            length = len(content)
            self.send_header("Content-Range", f"bytes {start}-{length - 1}/{length}")
            content = content[start:]
        else:
            self.send_response(200)
        if server.length != "":
            self.send_header("Content-Length", server.length or str(len(content)))
        self.end_headers()
        try:
            self.wfile.write(content[: server.cut])
            while server.endless:
                self.wfile.write(content)
        except ConnectionError:
            pass  # the other side has had enough

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.ranges, server.cut, server.asked = CONTENT, True, None, []
    server.location = server.length = server.endless = None
    server.url = f"http://127.0.0.1:{server.server_port}/data.bin"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sets" / "data.bin"


def part(path):
    return path.with_name("data.bin.part")


def refused(*args):
    with pytest.raises(InputError) as error:
        download(*args)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("checksum", [MD5, SHA256, SHA256.upper()])
def test_a_file_is_fetched_once(server, path, checksum, capsys):
    for _ in range(2):
        assert download(server.url, path, checksum) == path
        assert path.read_bytes() == CONTENT
    assert server.asked == [None]
    assert [file.name for file in path.parent.iterdir()] == ["data.bin"]
    output = capsys.readouterr()
    assert output.out == "" and "data.bin" in output.err and "kB" in output.err


@pytest.mark.parametrize("size", [None, len(CONTENT)])
@pytest.mark.parametrize("ranges", [True, False])
def test_a_cut_connection_is_taken_up_again(server, path, ranges, size):
    server.ranges, server.cut = ranges, 300_000
    text = refused(server.url, path, MD5, size)
    assert "the connection broke after 300000 of 700001 bytes" in text
    assert part(path).read_bytes() == CONTENT[:300_000] and not path.exists()

    server.cut = None
    download(server.url, path, MD5, size)
    assert path.read_bytes() == CONTENT and not part(path).exists()
    assert server.asked == [None, "bytes=300000-"]


def test_an_interruption_keeps_what_has_arrived(server, path, monkeypatch):
    class Interrupted:
        def __init__(self, *args, **kwargs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *args):
            pass

        def add_task(self, *args, **kwargs):
            pass

        def update(self, task, completed):
            if completed > 500_000:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("keras_gans.data.downloads.Progress", Interrupted)
        download(server.url, path, MD5)
    kept = part(path).stat().st_size
    assert kept > 500_000 and part(path).read_bytes() == CONTENT[:kept]
    download(server.url, path, MD5)
    assert path.read_bytes() == CONTENT and server.asked[1] == f"bytes={kept}-"


@pytest.mark.parametrize("size, asked", [(len(CONTENT), []), (None, ["bytes=700001-"])])
def test_a_complete_part_is_only_checked(server, path, size, asked):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT)
    download(server.url, path, MD5, size)
    assert path.read_bytes() == CONTENT and server.asked == asked


def test_a_part_that_is_too_long_is_fetched_anew(server, path):
    path.parent.mkdir()
    part(path).write_bytes(CONTENT + b"more")
    download(server.url, path, MD5, len(CONTENT))
    assert path.read_bytes() == CONTENT and server.asked == [None]


def test_a_damaged_part_is_removed(server, path):
    path.parent.mkdir()
    part(path).write_bytes(b"\0" * 1000)
    text = refused(server.url, path, MD5, len(CONTENT))
    assert "data.bin.part: damaged on its way from http" in text and f"expected {MD5}" in text
    assert "removed" in text and list(path.parent.iterdir()) == []
    download(server.url, path, MD5, len(CONTENT))
    assert path.read_bytes() == CONTENT


def test_another_size_is_refused_before_it_is_fetched(server, path):
    text = refused(server.url, path, MD5, 5000)
    assert "700001 bytes are offered, 5000 are expected" in text
    assert not part(path).exists()


def test_another_file_in_its_place_is_left_alone(server, path):
    path.parent.mkdir()
    path.write_bytes(b"mine")
    assert f"{path}: another file than {server.url}" in refused(server.url, path, SHA256)
    assert path.read_bytes() == b"mine" and server.asked == []


@pytest.mark.parametrize("length", ["", "abc", "-5", "1e3", "²", "9" * 5000])
def test_a_length_that_is_no_number_says_nothing(server, path, length):
    server.length = length
    download(server.url, path, MD5, len(CONTENT))
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_an_endless_answer_is_cut_off(server, path, size, monkeypatch):
    monkeypatch.setattr("keras_gans.data.downloads.LARGEST", len(CONTENT))
    server.length, server.endless = "", True
    text = refused(server.url, path, MD5, size)
    assert f"more than the {len(CONTENT)} bytes expected arrive" in text
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://localhost/a", "data:,a", "gopher://x/"]
)
def test_a_server_cannot_send_elsewhere(server, path, location):
    server.location = location
    text = refused(server.url, path, MD5, len(CONTENT))
    assert text.startswith(f"{server.url}: ") and list(path.parent.iterdir()) == []


def test_a_secure_server_cannot_send_to_an_insecure_one(path):
    handler = _WebAlone()
    asked = Request("https://example.org/a")
    with pytest.raises(InputError, match="sent on to http://example.org/b"):
        handler.redirect_request(asked, io.BytesIO(), 302, "Found", {}, "http://example.org/b")
    assert handler.redirect_request(asked, io.BytesIO(), 302, "", {}, "https://example.org/b")


def test_no_pipe_or_link_is_written_to(server, path, tmp_path):
    path.parent.mkdir()
    (tmp_path / "other").write_text("mine")
    part(path).symlink_to(tmp_path / "other")
    download(server.url, path, MD5, len(CONTENT))
    assert path.read_bytes() == CONTENT and (tmp_path / "other").read_text() == "mine"
    path.unlink()
    os.mkfifo(path)
    assert f"{path}: a pipe, socket or device" in refused(server.url, path, MD5)


def test_what_the_server_refuses(server, path):
    text = refused(server.url + "x", path, MD5)
    assert text.startswith(f"{server.url}x: HTTP 404 Not Found: ")
    assert f"fetch it by hand and put it at {path}" in text


def test_no_server(server, path):
    gone = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{gone.server_port}/data.bin"
    gone.server_close()
    text = refused(url, path, MD5)
    assert text.startswith(f"{url}: not reachable (Connection refused)")
    assert f"put it at {path}" in text


def test_no_place_to_write(server, tmp_path):
    (tmp_path / "file").write_text("")
    text = refused(server.url, tmp_path / "file" / "data.bin", MD5)
    assert f"{tmp_path / 'file'}" in text and "cannot be written" in text


def test_checksums_of_other_kinds_are_errors(path):
    with pytest.raises(ValueError, match="32 or 64 hex digits. Received: 'abc'"):
        download("http://localhost/", path, "abc")
