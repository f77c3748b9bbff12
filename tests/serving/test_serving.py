"""The requests of docs/serving.md: answered by the models, by gRPC, and by a KServe server."""

import base64
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.files import numbered

ROOT = Path(__file__).parents[2]
MODELS = Path(os.environ.get("KERAS_GANS_MODELS", ROOT / "saved_models"))
EXAMPLES = ROOT / "examples" / "serving"
NAMES = ("dscnn-photos", "defectgan", "frgan-classifier", "frgan-generator", "text2image")
CURL = '#!/bin/sh\necho "$2" >> urls; cat > "$(wc -l < urls | tr -d " ").json"; echo "{}"\n'


def example(name):
    """A module of examples/serving/."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def version_of(name):
    versions = numbered(MODELS / name)
    return versions[max(versions)]


@pytest.fixture(scope="module")
def models():
    """A function from a name to the signatures of that model."""
    loaded = {}

    def signatures(name):
        if name not in loaded:
            loaded[name] = tf.saved_model.load(version_of(name))
        return loaded[name].signatures

    return signatures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the page sends: photo.jpg and part.png."""
    folder = tmp_path_factory.mktemp("serving")
    rows, columns = np.mgrid[:96, :128]
    waves = 120 + 60 * np.sin(rows / 9) * np.cos(columns / 7)
    photo = np.clip(np.dstack([1.3 * waves, waves, 0.6 * waves]), 0, 255).astype(np.uint8)
    Image.fromarray(photo).save(folder / "photo.jpg", quality=95)
    Image.fromarray(photo[:, :96, 1]).save(folder / "part.png")
    return folder


@pytest.fixture(scope="module")
def requests(folder):
    """What curl is given by the page's lines: list of (model, body as JSON)."""
    (folder / "curl").write_text(CURL)
    (folder / "curl").chmod(0o755)
    page = (ROOT / "docs" / "serving.md").read_text()
    path = f"{folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in re.findall(r"```bash\n(.*?)```", page, re.DOTALL):
        lines = "\n".join(line for line in block.splitlines() if not line.startswith("python"))
        subprocess.run(["sh", "-ec", lines], cwd=folder, env={"PATH": path}, check=True)
    urls = (folder / "urls").read_text().split()
    names = [re.fullmatch(r".*:8501/v1/models/([^/:]+):predict", url)[1] for url in urls]
    return [
        (name, (folder / f"{number}.json").read_text()) for number, name in enumerate(names, 1)
    ]


def test_the_page_has_a_request_for_every_kind_of_model(requests):
    assert {name for name, _ in requests} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_requests_of_the_page_are_answered(models, requests, name):
    for body in (body for model, body in requests if model == name):
        found = example("rest").answer(models(name), json.loads(body))
        found = json.loads(json.dumps(found))  # as a server would send it
        if "outputs" in found:
            assert np.shape(found["outputs"])[0] == 2
            continue
        assert len(found["predictions"]) == len(json.loads(body)["instances"])
        for row in found["predictions"]:
            for file in row.values() if "b64" not in row else [row]:
                if isinstance(file, dict):
                    Image.open(io.BytesIO(base64.b64decode(file["b64"]))).load()


def test_what_does_not_fit_is_refused(models):
    answer, signatures = example("rest").answer, models("dscnn-photos")
    bad = {"b64": base64.b64encode(b"no picture").decode()}
    for body, message in (
        ({"signature_name": "other", "instances": []}, "signature_name"),
        ({"signature_name": "bytes", "instances": []}, "one or more"),
        ({"signature_name": "bytes", "instances": [{"other": bad}]}, "image_bytes"),
        ({"signature_name": "bytes", "instances": [bad]}, "must each be a JPEG or a PNG"),
        ({"signature_name": "bytes", "instances": [{"b64": "?"}]}, "image_bytes"),
        ({"signature_name": "bytes"}, "image_bytes"),
    ):
        with pytest.raises(ValueError, match=message):
            answer(signatures, body)


@pytest.mark.parametrize("name", NAMES)
def test_warmup_records_are_requests_that_are_answered(models, name):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    file = version_of(name) / "assets.extra" / "tf_serving_warmup_requests"
    names = set()
    for record in tf.data.TFRecordDataset(str(file)):
        request = logs.PredictionLog.FromString(record.numpy()).predict_log.request
        assert request.model_spec.name == name
        names.add(request.model_spec.signature_name)
        run(models(name), request)
    assert names >= {"serving_default", "bytes"}


def test_configuration_files_are_what_the_server_reads():
    configs = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    text = (EXAMPLES / "models.config").read_text()
    server = text_format.Parse(text, configs.ModelServerConfig())
    served = {each.name: each for each in server.model_config_list.config}
    assert served["dscnn-photos"].version_labels["stable"] == 1
    for name, config in served.items():
        assert config.base_path == f"/models/{name}"
        for version in config.model_version_policy.specific.versions:
            assert version in numbered(ROOT / "saved_models" / name)


def run(signatures, request):
    """The outputs of a `PredictRequest`."""
    signature = signatures[request.model_spec.signature_name]
    tensors = {
        name: tf.constant(tf.make_ndarray(value), value.dtype)
        for name, value in request.inputs.items()
    }
    return signature(**tensors)


def test_the_grpc_client(models, folder, capsys):
    services = pytest.importorskip("tensorflow_serving.apis.prediction_service_pb2_grpc")
    import grpc
    from tensorflow_serving.apis import predict_pb2

    class Service(services.PredictionServiceServicer):
        def Predict(self, request, context):
            try:
                outputs = run(models(request.model_spec.name), request)
            except tf.errors.InvalidArgumentError as error:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, error.message)
            answer = predict_pb2.PredictResponse()
            for name, value in outputs.items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return answer

    client = example("client")
    server = grpc.server(ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    services.add_PredictionServiceServicer_to_server(Service(), server)
    server.start()
    try:
        address = ["--server", f"127.0.0.1:{port}"]
        client.main(["dscnn-photos", str(folder / "photo.jpg"), *address])
        with Image.open(folder / "photo_corrected.jpg") as corrected:
            assert corrected.size == (128, 96)
        client.main(["defectgan", str(folder / "part.png"), *address])
        with Image.open(folder / "part_mask.png") as mask:
            assert mask.size == (96, 96)
        assert "score: " in capsys.readouterr().out
        with pytest.raises(SystemExit):
            client.main(["defectgan", str(folder / "photo.jpg"), *address])
        assert "INVALID_ARGUMENT" in capsys.readouterr().err
    finally:
        server.stop(None)


def test_a_kserve_server(requests, folder, unused_port):
    """KERAS_GANS_KSERVE names the Python of an environment with kserve and tensorflow."""
    python = os.environ.get("KERAS_GANS_KSERVE")
    if not python:
        pytest.skip("KERAS_GANS_KSERVE names no Python with kserve==0.21.0 and tensorflow")
    names = [name for name in NAMES if any((MODELS / name).glob("[0-9]*"))]
    command = [python, EXAMPLES / "kserve_server.py", "--http_port", str(unused_port)]
    command += ["--enable_grpc", "false", *(f"{name}={version_of(name)}" for name in names)]
    url = f"http://127.0.0.1:{unused_port}/v1/models"

    def send(name, body):
        try:
            with urllib.request.urlopen(f"{url}/{name}:predict", body.encode()) as reply:
                return reply.status, json.load(reply)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with open(folder / "kserve.log", "wb") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(url).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "kserve.log").read_text()[-2000:]
                time.sleep(0.5)
        for name, body in requests:
            if name not in names:
                continue
            status, answer = send(name, body)
            assert status == 200 and ("predictions" in answer or "outputs" in answer), answer
            empty = '{"signature_name": "bytes", "instances": []}'
            other = '{"signature_name": "bytes", "instances": [{"b64": "AAAA"}]}'
            for bad in ("no JSON", "{}", empty, other):
                status, answer = send(name, bad)
                assert 400 <= status < 500, (bad, status, answer)
        assert server.poll() is None
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]
