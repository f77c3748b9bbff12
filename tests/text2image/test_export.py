import contextlib
import io
import itertools
import json
import os
import subprocess
import sys
import unicodedata

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_gans.__main__ import main
from keras_gans.errors import InputError
from keras_gans.export import flatbuffer
from keras_gans.export.runtimes import runner
from keras_gans.layers import FusedBatchNormalization, PeepholeConvLSTM2D
from keras_gans.text2image.captions import Vocabulary, tokenize
from keras_gans.text2image.data import sentence_vectors
from keras_gans.text2image.export import (
    SentenceReader,
    export_text_to_image,
    split_words,
    unrolled,
)
from keras_gans.text2image.networks import build_generator, build_text_to_image
from tests.runtimes import RUNTIMES, opened

pytestmark = pytest.mark.slow  # conversions take seconds each

W, D, SIZE = 5, 6, 16
WORDS = ("", "<unknown>", "this", "flower", "is", "pink", "grün", "花", "it", "s", "2")
CAPTIONS = [
    "This flower, is PINK!",
    "pink",
    "zorp it's GRÜN",
    "2 flower is this pink grün flower",
    "花",
    "zorp",
]
ODD = [
    *CAPTIONS,
    "",
    " \t \n",
    "don't-stop_now",
    "it’s “curly” 'straight'",
    "Ünï ÇÉÑ ß ẞ Straße ΣΑΣ ΟΔΥΣΣΕΥΣ İstanbul IRIS ısı Ǆ",
    "这朵花 是粉色的。",
    "a\tb\nc\r\nd\x00e\x0bf\x1fg\x85h\xa0i\u3000j\u200bk\ufeffl",
    "3.5 petals, 1,000; ½ ² ① Ⅷ ٣ १",
    "e\u0301 n\u0303 हिन्दी ไทย עִברית",
    "😀 flower 🌸pink 👩‍🌾",
    "\\d $1 \\1 %s {} ... --- ''",
    "x" * 3000,
]


SENTENCE = "sum"  # of the words' vectors, for a generator
METADATA = {"set": "none", "settings": {"sentence": SENTENCE}}


@pytest.fixture(scope="module")
def vocabulary():
    vectors = np.random.default_rng(0).normal(size=(len(WORDS), D)).astype(np.float32)
    vectors[0], vectors[1] = 0, vectors[2:].mean(axis=0)
    return Vocabulary(WORDS, vectors)


def trained(network):
    """Gives every weight, moving averages too, values that show in the pictures."""
    rng = np.random.default_rng(1)
    for layer in network._flatten_layers(include_self=False):
        if isinstance(layer, FusedBatchNormalization):
            _, _, _, variance = (weight.shape for weight in layer.get_weights())
            others = [rng.uniform(-1, 1, variance) for _ in range(3)]
            layer.set_weights([*others, rng.uniform(0.02, 0.05, variance)])
        elif isinstance(layer, PeepholeConvLSTM2D):
            layer.set_weights([rng.normal(0, 0.5, w.shape) for w in layer.get_weights()])
    return network


@pytest.fixture(scope="module", params=["whole", "generator"])
def network(request):
    keras.utils.set_random_seed(0)
    if request.param == "whole":
        return trained(build_text_to_image(W, D, SIZE, 4))
    return trained(build_generator(D, SIZE, 4))


@pytest.fixture(scope="module")
def exported_and_printed(network, vocabulary, tmp_path_factory):
    base = tmp_path_factory.mktemp("export") / "drawer"
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        paths = export_text_to_image(
            network, vocabulary, base, METADATA, length=W, examples=CAPTIONS[:5]
        )
    return paths, printed.getvalue()


@pytest.fixture(scope="module")
def exported(exported_and_printed):
    return exported_and_printed[0]


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(exported["saved_model"])


def levels(values):
    return np.clip(np.rint((np.asarray(values) + 1) * 127.5), 0, 255)


def encoded(vocabulary, captions):
    ids = np.zeros((len(captions), W), int)
    for row, caption in enumerate(captions):
        if words := tokenize(caption):
            ids[row] = vocabulary.encode([caption], W)[0]
            assert np.count_nonzero(ids[row]) == min(W, len(words))
    return ids


def expected_pictures(network, vocabulary, ids):
    """Pictures of the words and of the sentences, from Keras and NumPy."""
    vectors = vocabulary.vectors[ids]
    if len(network.inputs) == 2:
        pictures = levels(network([vectors, ids != 0], training=False))
        return pictures, pictures[:, -1]
    pictures = levels(network(vectors.reshape(-1, D), training=False))
    some = ids.any(axis=1)
    means = np.zeros((len(ids), D), np.float32)
    means[some] = sentence_vectors(ids[some], vocabulary.vectors, SENTENCE)
    return pictures.reshape(len(ids), W, SIZE, SIZE, 3), levels(network(means, training=False))


def test_files_and_description(exported, vocabulary):
    base = exported["saved_model"].parent
    files = {"drawer-float32.tflite", "drawer-float16.tflite", "words.txt", "vectors.npy"}
    assert {child.name for child in base.iterdir()} == {"1", "README.md", *files}
    assert {path.name for path in exported.values()} == {"1", *files}
    text = (exported["saved_model"] / "assets.extra" / "model.json").read_text()
    assert json.loads(text) == {
        **METADATA, "length": W, "vector_size": D, "image_size": SIZE, "vocabulary": 9
    }  # fmt: skip
    assert exported["words"].read_text("utf-8").split("\n") == [*WORDS, ""]
    np.testing.assert_array_equal(np.load(exported["vectors"]), vocabulary.vectors)


def test_saved_model_draws_sentences(network, vocabulary, loaded):
    made = loaded.signatures["words"](captions=tf.constant(CAPTIONS))
    made = {name: value.numpy() for name, value in made.items()}
    ids = encoded(vocabulary, CAPTIONS)
    pictures, images = expected_pictures(network, vocabulary, ids)
    assert made["pictures"].dtype == made["images"].dtype == np.uint8
    np.testing.assert_allclose(made["pictures"], pictures, atol=1)
    np.testing.assert_allclose(made["images"], images, atol=1)
    words = [[word.decode() for word in row] for row in made["words"]]
    assert words[0] == ["", "this", "flower", "is", "pink"]
    assert words[2] == ["", "zorp", "it", "s", "grün"]
    assert words[3] == ["2", "flower", "is", "this", "pink"]
    np.testing.assert_array_equal(made["known"], ids > 1)
    assert made["count"].tolist() == [4, 1, 4, 7, 1, 1]
    served = loaded.signatures["serving_default"](captions=tf.constant(CAPTIONS[:5]))
    assert list(served) == ["images"]
    np.testing.assert_array_equal(served["images"], made["images"][:5])
    for one, other in itertools.combinations(images, 2):  # they tell sentences apart
        assert np.abs(one - other).max() > 8


def test_words_of_the_graph_are_those_of_tokenize():
    rng, texts = np.random.default_rng(0), list(ODD)
    blocks = ((0, 0x250), (0x370, 0x5F0), (0x900, 0xE00), (0x2000, 0x2500), (0x4E00, 0x5000),
              (0x1F300, 0x1F700), (32, 127), (32, 127))  # fmt: skip
    for low, high in blocks:
        points = rng.integers(low, high, (30, 12))
        known = [
            [chr(p) for p in row if unicodedata.category(chr(p)) != "Cn"] for row in points
        ]
        texts += ["".join(row) for row in known]
    found = split_words(tf.constant(texts)).to_list()
    for text, words in zip(texts, found, strict=True):
        assert [word.decode() for word in words] == tokenize(text), repr(text)
    assert split_words(tf.constant([], tf.string)).to_list() == []
    broken = [[word.decode() for word in row] for row in
              split_words(tf.constant([b"\xff a\xc3 b"])).to_list()]  # fmt: skip
    assert broken == [["\ufffd", "a\ufffd", "b"]]  # bytes that are no text: no word of any list


def test_ids_of_the_graph_are_those_of_the_vocabulary(vocabulary):
    texts = [text for text in ODD if tokenize(text)]
    for length in (1, W, 25):
        words, ids, count = SentenceReader(vocabulary, length)(tf.constant(texts))
        np.testing.assert_array_equal(ids, vocabulary.encode(texts, length))
        assert count.numpy().tolist() == [len(tokenize(text)) for text in texts]
        last = [row[-1].decode() for row in words.numpy()]
        assert last == [tokenize(text)[:length][-1] for text in texts]


READ = """
import sys

sys.modules.update(keras=None, keras_gans=None)  # an import of either now fails
import numpy as np
import tensorflow as tf

captions = ["pink flower", "IRIS GR\\u00dcN", "zorp it"]
loaded = tf.saved_model.load(sys.argv[1])
made = loaded.signatures["words"](captions=tf.constant(captions))
with tf.compat.v1.Session(graph=tf.Graph()) as session:  # as a server does
    meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], sys.argv[1])
    signature = meta.signature_def["serving_default"]
    served = session.run(
        signature.outputs["images"].name, {signature.inputs["captions"].name: captions}
    )
made = {name: value.numpy() for name, value in made.items()}
made["words"] = made["words"].astype("S")
np.savez(sys.argv[2], served=served, **made)
"""


@pytest.mark.parametrize("network", ["whole"], indirect=True)
def test_serves_in_a_process_without_our_code(exported, loaded, tmp_path):
    command = [sys.executable, "-c", READ, exported["saved_model"], tmp_path / "made.npz"]
    turkish = os.environ | {"LC_ALL": "tr_TR.UTF-8"}  # where the small I has no dot
    subprocess.run(command, check=True, cwd=tmp_path, env=turkish, capture_output=True)
    made = np.load(tmp_path / "made.npz")
    here = loaded.signatures["words"](
        captions=tf.constant(["pink flower", "iris grün", "zorp it"])
    )
    for name, value in here.items():
        np.testing.assert_array_equal(made[name], value, err_msg=name)
    np.testing.assert_array_equal(made["served"], made["images"])


def test_the_command_draws_with_it(exported, loaded, tmp_path, capsys):
    options = ["--model", str(exported["saved_model"].parent), "--out", str(tmp_path / "a.png")]
    main(["draw", "This flower is PINK!", *options])
    assert capsys.readouterr() == (f"1 picture of 16 x 16 in {tmp_path / 'a.png'}\n", "")
    expected = loaded.signatures["serving_default"](captions=tf.constant(CAPTIONS[:1]))
    drawn = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_allclose(drawn, expected["images"][0], atol=1)
    for sentence, message in (
        ("?!", "no words: write some"),
        ("zorp", "unknown words only (zorp): the model knows 9 words; "
                 f"{exported['words']} has them"),
    ):  # fmt: skip
        with pytest.raises(SystemExit):
            main(["draw", sentence, *options])
        assert f'"{sentence}": {message}' in capsys.readouterr().err


@pytest.mark.parametrize("precision, atol", [("float32", 1), ("float16", 4)])
def test_tflite(network, vocabulary, exported, precision, atol):
    ids = encoded(vocabulary, CAPTIONS[:5])
    pictures, images = expected_pictures(network, vocabulary, ids)
    run = runner(exported[f"drawer-{precision}"])
    words = exported["words"].read_text("utf-8").split("\n")
    table = np.load(exported["vectors"])  # what a phone has instead of a vocabulary
    for number, caption in enumerate(CAPTIONS[:5]):
        rows = [words.index(w) if w in words else 1 for w in tokenize(caption)][:W]
        if len(network.inputs) == 1:
            made = run(vectors=table[rows].sum(axis=0, keepdims=True))
            assert list(made) == ["images"]
        else:
            vectors, mask = np.zeros((1, W, D), np.float32), np.zeros((1, W), bool)
            vectors[0, -len(rows) :], mask[0, -len(rows) :] = table[rows], True
            made = run(vectors=vectors, mask=mask)
            np.testing.assert_allclose(made["pictures"][0], pictures[number], atol=atol)
        assert made["images"].dtype == np.uint8
        np.testing.assert_allclose(made["images"][0], images[number], atol=atol)


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_other_runtimes(network, vocabulary, exported, runtime):
    ids = encoded(vocabulary, CAPTIONS[:1])
    vectors, mask = vocabulary.vectors[ids], ids != 0
    _, images = expected_pictures(network, vocabulary, ids)
    inputs = {"vectors": vectors, "mask": mask}
    if len(network.inputs) == 1:
        inputs = {"vectors": sentence_vectors(ids, vocabulary.vectors, SENTENCE)}
    for precision, levels in (("float32", 1), ("float16", 4)):
        found = opened(runtime, exported[f"drawer-{precision}"])(**inputs)["images"]
        np.testing.assert_allclose(found, images, atol=levels)


def test_tflite_has_built_in_operations_and_no_loop(exported):
    names = {each.name for each in flatbuffer.operations(exported["drawer-float32"])}
    assert "TRANSPOSE_CONV" in names
    assert not {name for name in names if name.startswith(("Flex", "WHILE", "CALL", "IF"))}


@pytest.mark.parametrize("convlstm", ["refined", "last", "penultimate"])
def test_unrolled_shares_what_it_can(convlstm):
    looped = trained(build_text_to_image(W, D, SIZE, 4, convlstm))
    straight = unrolled(looped)
    kinds = {type(layer): layer for layer in straight.layers}
    assert kinds[PeepholeConvLSTM2D].unroll
    assert straight.get_layer("generator") is looped.get_layer("generator")
    rng = np.random.default_rng(3)
    inputs = [rng.normal(size=(2, W, D)).astype(np.float32), rng.uniform(size=(2, W)) < 0.7]
    np.testing.assert_allclose(straight(inputs), looped(inputs), atol=1e-5)


def test_parity_is_printed(exported_and_printed):
    lines = exported_and_printed[1].splitlines()
    assert lines[0].startswith("exported; pictures against Keras, in grey levels")
    for precision, mean in (("float32", 0.01), ("float16", 0.2)):
        row = next(line.split() for line in lines if f"drawer-{precision}" in line)
        assert float(row[-2]) <= mean and float(row[-1]) <= 4


def test_arguments_that_do_not_fit(network, tmp_path, vocabulary):
    long = Vocabulary(WORDS, np.ones((len(WORDS), D + 1), np.float32))
    with pytest.raises(ValueError, match="vectors of 6 numbers. Received: .* of 7"):
        export_text_to_image(network, long, tmp_path / "new", {})
    assert not (tmp_path / "new").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: cannot be written"):
        export_text_to_image(network, vocabulary, tmp_path / "file", {})


def test_files_of_sentences_are_their_pictures(loaded):
    captions = tf.constant(CAPTIONS[:2])
    files = loaded.signatures["bytes"](caption=captions)["image_bytes"]
    expected = loaded.signatures["serving_default"](captions=captions)["images"]
    for file, picture in zip(files, expected, strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(file), picture)
