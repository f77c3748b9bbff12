"""Speed and memory of a model server that is sent photos, measured on this machine.

    python benchmarks/serving.py --python KSERVE/bin/python            about 15 minutes
    python benchmarks/serving.py --python KSERVE/bin/python --quick    about 2 minutes

KSERVE is an environment with kserve==0.21.0 and tensorflow. The server is that of
examples/serving/kserve_server.py; clients run in this process, on the same cores. Prints, for
1, 4 and 16 clients, requests a second and percentiles of their times; then the memory that the
server holds over many requests, one in ten of which is bad and has to be answered with 400.
"""

import base64
import http.client
import io
import json
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from common import CORES, new_table, open_console

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = 1, 4, 16
PORT = 8765


@dataclass(frozen=True)
class Config:
    """Measures a model server; prints tables."""

    python: Path
    """Python of an environment with kserve and tensorflow."""
    models: Path = ROOT / "saved_models"
    """Folder of the models."""
    seconds: float = 30
    """For each number of clients."""
    requests: int = 10_000
    """Over which memory is watched."""
    quick: bool = False
    """Five seconds, 500 requests."""


def picture(height, width, grey):
    from PIL import Image

    rng = np.random.default_rng(0)
    small = rng.integers(40, 200, (height // 16, width // 16, 3), np.uint8)
    image = Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image = image.convert("L") if grey else image
    image.save(file, "JPEG", quality=90)
    return file.getvalue()


def body(content):
    row = {"b64": base64.b64encode(content).decode()}
    return json.dumps({"signature_name": "bytes", "instances": [row]}).encode()


def send(connection, model, content):
    """(status, seconds) of one request."""
    start = time.perf_counter()
    connection.request("POST", f"/v1/models/{model}:predict", content)
    reply = connection.getresponse()
    reply.read()
    return reply.status, time.perf_counter() - start


def times_of(model, content, clients, seconds):
    """Seconds of each request, as many as were answered in so much time."""
    end = time.perf_counter() + seconds

    def client(_):
        connection, found = http.client.HTTPConnection("127.0.0.1", PORT), []
        while time.perf_counter() < end:
            status, taken = send(connection, model, content)
            assert status == 200, status
            found.append(taken)
        return found

    with ThreadPoolExecutor(clients) as pool:
        return sum(pool.map(client, range(clients)), [])


def held(server):
    """Megabytes of the server's process."""
    lines = Path(f"/proc/{server.pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1000


def memory_over(server, model, content, requests):
    """Megabytes after each tenth of the requests; how many got another status than due."""
    bad, wrong, found = body(content[: len(content) // 2]), 0, [held(server)]
    good = body(content)

    def client(count):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        statuses = [send(connection, model, bad if i % 10 == 9 else good)[0] for i in count]
        return sum(s != (400 if i % 10 == 9 else 200) for i, s in zip(count, statuses))

    with ThreadPoolExecutor(4) as pool:
        for _ in range(10):
            wrong += sum(pool.map(client, [range(requests // 40)] * 4))
            found.append(held(server))
    return found, wrong


def main():
    import tyro

    config = tyro.cli(Config)
    seconds, requests = (5, 500) if config.quick else (config.seconds, config.requests)
    photos = {
        "dscnn-photos": picture(512, 512, grey=False),
        "defectgan": picture(96, 96, grey=True),
    }
    console = open_console("numpy")
    command = [config.python, ROOT / "examples" / "serving" / "kserve_server.py"]
    for name in photos:
        version = max((config.models / name).glob("[0-9]*"), key=lambda path: int(path.name))
        command.append(f"{name}={version}")
    command += ["--http_port", str(PORT), "--enable_grpc", "false"]
    table = new_table(
        f"Requests of one file, {CORES} cores", "clients", "requests/s", "50 %, ms", "99 %, ms"
    )
    with tempfile.TemporaryFile() as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_for(server)
            for name, content in photos.items():
                times_of(name, body(content), 4, 2)  # warms up
                for clients in CLIENTS:
                    taken = times_of(name, body(content), clients, seconds)
                    middle, slow = 1000 * np.percentile(taken, [50, 99])
                    rate = len(taken) / seconds
                    row = str(clients), f"{rate:.1f}", f"{middle:.0f}", f"{slow:.0f}"
                    table.add_row(name, *row)
            console.print(table)
            small = picture(128, 192, grey=False)
            found, wrong = memory_over(server, "dscnn-photos", small, requests)
        finally:
            server.terminate()
            server.wait(60)
    console.print(
        f"Memory of the server over {requests} requests: "
        + " ".join(f"{megabytes:.0f}" for megabytes in found)
        + f" MB. Answered otherwise than 200 (good) or 400 (bad): {wrong}."
    )


def wait_for(server):
    for _ in range(240):
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        try:
            connection.request("GET", "/v1/models")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if server.poll() is not None:
                break
            time.sleep(0.5)
    raise SystemExit("the server does not answer")


if __name__ == "__main__":
    main()
