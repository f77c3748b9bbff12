"""Damaged and odd data files: each gives a value, or one line that names the file."""

import gzip
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from PIL import Image

from keras_gans.data.arrays import read_mat, read_npy, read_npz
from keras_gans.data.folders import inside
from keras_gans.data.tables import LONGEST, read_lines, read_rows, whole_number
from keras_gans.data.xml_files import read_xml
from keras_gans.dscnn.datasets import load_scenes
from keras_gans.dscnn.scene_arrays import load_npz
from keras_gans.errors import InputError, printable
from keras_gans.files import read_json, remembered
from keras_gans.frgan.datasets import load_labelled_images
from keras_gans.okdgan.crop_list import save as save_list
from keras_gans.okdgan.crops import digest
from keras_gans.okdgan.datasets import load_crops, load_list
from keras_gans.text2image.captions import load_vocabulary
from keras_gans.text2image.datasets import load_captioned_images
from keras_gans.text2image.vector_files import load_vectors

SCENES = {
    "images": np.full((3, 4, 4, 3), 0.5, np.float32),
    "illuminants": np.ones((3, 3)),
    "fold": np.array([0, 1, 2]),
    "camera": np.array(["a"] * 3),
    "names": np.array(["x", "y", "z"]),
}


def photo(path, value=100, size=(40, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (value, 50, 50)).save(path)
    return path


def line_of(call, *args, **kwargs):
    """The one line that a call ends with."""
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    assert "\n" not in printable(error.value)
    return str(error.value)


# Random damage ----------------------------------------------------------------------------


def damage(content, rng):
    """A file's content with one of six kinds of damage."""
    content, at = bytearray(content), int(rng.integers(len(content)))
    length = int(rng.integers(1, 1 + len(content) // 3))
    kind = rng.integers(6)
    if kind == 0:
        return bytes(content[:at])
    if kind == 1:
        content[at : at + length] = bytes(length)
    elif kind == 2:
        content[at : at + length] = rng.bytes(length)
    elif kind == 3:
        for place in rng.integers(len(content), size=8):
            content[place] ^= 1 << rng.integers(8)
    elif kind == 4:
        content[at:at] = content[:length]
    else:
        del content[at : at + length]
    return bytes(content)


def make_npz(path):
    np.savez_compressed(path, **SCENES)


def make_npy(path):
    np.save(path, SCENES["images"])


def make_mat(path):
    scipy.io.savemat(path, {"X": np.zeros((4, 4)), "y": [1, 2, 3]}, do_compression=True)


def make_xml(path):
    path.write_text("<?xml version='1.0' encoding='utf-8'?><a><b name='x'>1</b><c/></a>")


def make_csv(path):
    path.write_text('name,r,g\n"a, b",1,2\nc,3,4\n')


def make_lines(path):
    path.write_text("a red flower\na blue flower with leaves\n", encoding="utf-8")


def make_json(path):
    path.write_text(json.dumps({"sha256": "abc", "value": {"indices": [1, 2, 3]}}))


def make_vectors(path):
    path.write_text("2 3\nred 1 2 3\nblue 4 5 6\n")


def make_binary_vectors(path):
    path.write_bytes(
        b"2 3\n" + b"".join(w + np.float32([1, 2, 3]).tobytes() for w in (b"red ", b"a "))
    )


def make_zipped_vectors(path):
    path.write_bytes(gzip.compress(b"red 1 2 3\nblue 4 5 6\n" * 20))


def make_vocabulary(path):
    words = np.frombuffer("\n<unknown>\nred".encode(), np.uint8)
    np.savez(path, words=words, vectors=np.zeros((3, 2), np.float32))


def fits(value):
    return all(0 <= each < 10 for each in value["indices"])


READERS = {
    "scenes.npz": (make_npz, load_npz),
    "array.npy": (make_npy, read_npy),
    "matrix.mat": (make_mat, lambda path: read_mat(path, ["X", "y"])),
    "notes.xml": (make_xml, read_xml),
    "table.csv": (make_csv, lambda path: read_rows(path, ["name", "r"])),
    "captions.txt": (make_lines, read_lines),
    "drawn.json": (make_json, lambda path: remembered(path, dict, "abc", fits)),
    "vectors.txt": (make_vectors, lambda path: load_vectors(path, ["red"])),
    "vectors.bin": (make_binary_vectors, lambda path: load_vectors(path, ["red"])),
    "vectors.gz": (make_zipped_vectors, lambda path: load_vectors(path, ["red"])),
    "vocabulary.npz": (make_vocabulary, load_vocabulary),
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", READERS)
def test_random_damage(tmp_path, name, seed):
    make, read = READERS[name]
    path = tmp_path / name
    make(path)
    content = path.read_bytes()
    if seed == 0:
        read(path)  # undamaged
    rng = np.random.default_rng([seed, len(name)])
    for _ in range(1 if name == "matrix.mat" else 5):  # half a second each
        path.write_bytes(damage(content, rng))
        try:
            read(path)
        except InputError as error:
            assert str(error).startswith(str(path)) and "\n" not in printable(error)


@pytest.mark.parametrize("name", READERS)
def test_what_is_no_file(tmp_path, name):
    read, path = READERS[name][1], tmp_path / name
    os.mkfifo(path)
    assert "a pipe, socket or device" in line_of(read, path)  # it would never end
    path.unlink()
    path.mkdir()
    assert "a folder" in line_of(read, path)


# Arrays -----------------------------------------------------------------------------------


def header(shape, descr="<f4"):
    """An .npy file of a header alone."""
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


def with_member(path, content, **changes):
    """A set of scenes in which the file of the images is another."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", content)
    data = bytearray(path.read_bytes())
    at = data.rindex(b"PK\x01\x02")
    for place, value in changes.values():
        data[at + place : at + place + len(value)] = value
        if place < 12:  # the local header has it too, two bytes before
            data[place - 2 : place - 2 + len(value)] = value
    path.write_bytes(data)


@pytest.mark.parametrize(
    "content, change, message",
    [
        (header((400_000, 400_000)), {}, "truncated or damaged .npz file"),  # 640 GB
        (header((2**62, 2**62)), {}, "truncated or damaged .npz file"),
        (header((-1, 4)), {}, "truncated or damaged .npz file"),
        (header((10**4000,)), {}, "truncated or damaged .npz file"),
        (header((4, 4), "|O") + pickle.dumps([1]), {}, "can run any code, are not read"),
        (header((4, 4), "|S99999999999"), {}, "truncated or damaged .npz file"),
        (header("(4,)" * 2000), {}, "truncated or damaged .npz file"),
        (b"\x93NUMPY\x09\x00", {}, "an array of a newer format"),
        (b"", {}, "truncated or damaged .npz file"),
        (header((1,)) + bytes(4), {"flags": (8, b"\1\0")}, "a form that is not read (File"),
        (header((1,)) + bytes(4), {"method": (10, b"\x63\0")}, "a form that is not read"),
        (header((1,)) + bytes(4), {"sum": (16, b"????")}, "truncated or damaged .npz file"),
    ],
)  # fmt: skip
def test_odd_npz(tmp_path, content, change, message):
    with_member(tmp_path / "a.npz", content, **change)
    line = line_of(read_npz, tmp_path / "a.npz", ["images"])
    assert line.startswith(f"{tmp_path / 'a.npz'}: ") and message in line


def test_objects_are_not_unpickled(tmp_path):
    class Mark:
        def __reduce__(self):
            return open, (str(tmp_path / "it_ran"), "w")

    np.save(tmp_path / "a.npy", np.array([Mark()], object))
    np.savez(tmp_path / "a.npz", **SCENES | {"names": np.array([Mark()], object)})
    assert "can run any code" in line_of(read_npy, tmp_path / "a.npy")
    assert "can run any code" in line_of(load_npz, tmp_path / "a.npz")
    assert not (tmp_path / "it_ran").exists()


@pytest.mark.parametrize(
    "variables, message",
    [
        ({"X": scipy.sparse.eye(4)}, "X is sparse: save it with full(X)"),
        ({"Y": [1]}, "no variable X"),
    ],
)
def test_odd_mat(tmp_path, variables, message):
    scipy.io.savemat(tmp_path / "a.mat", variables)
    assert f"{tmp_path / 'a.mat'}: {message}" in line_of(read_mat, tmp_path / "a.mat", ["X"])


def test_newer_mat(tmp_path):
    start = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(384)
    (tmp_path / "a.mat").write_bytes(start + b"\x89HDF\r\n\x1a\n" + bytes(100))
    assert "a MATLAB 7.3 file (HDF5)" in line_of(read_mat, tmp_path / "a.mat", ["X"])


@pytest.mark.parametrize("kind", [10, 11, 19, 24, 2**31])
def test_mat_that_ends_the_reader(tmp_path, kind):
    """SciPy takes a type of data that there is not for an address, and crashes."""
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"X": np.array([("some text",)], [("name", object)])})
    content = path.read_bytes()
    tag = (16).to_bytes(4, "little") + len("some text").to_bytes(4, "little")
    assert content.count(tag) == 1
    path.write_bytes(content.replace(tag, kind.to_bytes(4, "little") + tag[4:]))
    assert f"{path}: truncated or damaged MATLAB file" in line_of(read_mat, path, ["X"])


@pytest.fixture
def in_this_process(monkeypatch):
    """Sound MATLAB files are not tried in another process first, which takes half a second."""
    monkeypatch.setattr("keras_gans.data.arrays._check_elsewhere", lambda *args: None)


def cells(*lists):
    split = np.empty((1, len(lists)), object)
    split[0, :] = [np.array([each]) for each in lists]
    return split


@pytest.fixture
def color_checker(tmp_path, in_this_process):
    """Three images of the Color Checker, 16 bits, as far as checks before reading go."""
    for number in range(3):
        start = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x08\0\0\0\x08\x10\x02\0\0\0????"
        name = tmp_path / f"IMG_000{number}.png"
        name.write_bytes(start + b"\0\0\0\0IEND\xaeB`\x82")
        chart = "16 16\n1 1\n2 1\n1 2\n2 2\n"
        (tmp_path / f"IMG_000{number}_macbeth.txt").write_text(chart)
    labels = {"real_rgb": np.ones((3, 3))}
    scipy.io.savemat(tmp_path / "real_illum_568..mat", labels, appendmat=False)
    return tmp_path


@pytest.mark.parametrize(
    "split, message",
    [
        (cells([0], [1], [2]), "te_split has the position 0"),
        (cells([1], [2], [4]), "te_split has the position 4"),
        (cells([-1], [2], [3]), "te_split has the position -1"),
        (cells([1.5], [2.0], [3.0]), "te_split has the position 1.5"),
        (cells([np.nan], [2.0], [3.0]), "te_split has the position nan"),
        (cells([1e300], [2.0], [3.0]), "te_split has the position 1e+300"),
        (cells([1], [2], [2]), "te_split does not hold every image"),
        (cells([1], [2], []), "te_split does not hold every image"),
        (cells(["a"], ["b"], ["c"]), "te_split has the position a"),
        (scipy.sparse.eye(3), "te_split is sparse"),
        (np.ones((0, 0)), "te_split does not hold every image"),
    ],
)
def test_odd_folds(color_checker, split, message):
    path = color_checker / "threefoldCVsplit.mat"
    scipy.io.savemat(path, {"te_split": cells([1], [2], [3])})
    assert load_scenes(color_checker).folds.tolist() == [0, 1, 2]
    scipy.io.savemat(path, {"te_split": split})
    line = line_of(load_scenes, color_checker)
    assert line.startswith(f"{path}: ") and message in line


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 0, 1e200, 1e-200])
def test_odd_lights(color_checker, value):
    path = color_checker / "real_illum_568..mat"
    scipy.io.savemat(path, {"real_rgb": [[1, 1, 1], [1, value, 1], [1, 1, 1]]}, appendmat=False)
    assert f"{path}: the illuminant of IMG_0001" in line_of(load_scenes, color_checker)


# XML --------------------------------------------------------------------------------------

CHINESE = (
    "utf-8-sig utf-16 utf-16-le utf-16-be utf-32 utf-32-le utf-32-be gbk gb2312 gb18030".split()
)
WORDS = dict.fromkeys(CHINESE, "图片") | {
    "utf-8": "Größe 图片", "big5": "圖", "shift_jis": "図面", "euc-jp": "図面",
    "euc-kr": "한국", "iso-8859-1": "Größe", "windows-1252": "“Größe”", "koi8-r": "Привет",
}  # fmt: skip


@pytest.mark.parametrize("encoding", WORDS)
def test_encodings_of_xml(tmp_path, encoding):
    declared = encoding.removesuffix("-sig").upper()
    text = f'<?xml version="1.0" encoding="{declared}"?>\n<a b="{WORDS[encoding]}"/>'
    (tmp_path / "a.xml").write_bytes(text.encode(encoding))
    assert read_xml(tmp_path / "a.xml").get("b") == WORDS[encoding]


def test_xml_that_windows_writes(tmp_path):
    text = '<?xml version="1.0" encoding="Shift_JIS"?><a b="図面①"/>'
    (tmp_path / "a.xml").write_bytes(text.encode("cp932"))
    assert read_xml(tmp_path / "a.xml").get("b") == "図面①"
    (tmp_path / "a.xml").write_text(
        '<?xml version="1.0" encoding="utf-16"?><a b="é"/>', "utf-8"
    )
    assert read_xml(tmp_path / "a.xml").get("b") == "é"


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not readable as XML"),
        (b"<a>\0</a>", "not readable as XML"),
        (b"<a" * 10**5, "not readable as XML"),
        ("<a b='é'/>".encode("latin-1"), "not utf-8 throughout"),
        (b'<?xml version="1.0" encoding="gbk"?><a b="\xff"/>', "not gb18030 throughout"),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', "of an unknown encoding (klingon)"),
        (b'<?xml version="1.0" encoding="hex"?><a/>', "of an unknown encoding (hex)"),
        (b'<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><a>&c;</a>', "declares entities"),
        ("<!DOCTYPE a [<!ENTITY b 'ha'>]><a>&b;</a>".encode("utf-16"), "declares entities"),
    ],
)
def test_xml_that_is_refused(tmp_path, content, message):
    (tmp_path / "a.xml").write_bytes(content)
    assert f"{tmp_path / 'a.xml'}: {message}" in line_of(read_xml, tmp_path / "a.xml")


# Text and tables --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content, message",
    [
        ("name,r\na,1\n".encode("utf-16"), "line 1: not UTF-8"),
        ("name,r\na,1\n".encode("utf-16-le"), "line 1: a zero byte"),
        (b"name,r\na,\0\n", "line 2: a zero byte"),
        (b"name,r\n" + b"a" * (LONGEST + 1) + b",1\n", f"line 2: {LONGEST + 3} characters"),
        (b'name,r\n"' + b"a\n" * 100_000 + b'",1\n', "field larger than field limit"),
        (b"name,r\n\xff,1\n", "line 2: not UTF-8"),
        (b"name,r\na" + b"," * 100, "2 cells are expected"),
        (b"\xef\xbb\xbfname,r\na\n", "line 2: 2 cells"),
    ],
)
def test_odd_tables(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    line = line_of(read_rows, tmp_path / "a.csv", ["name", "r"])
    assert line.startswith(f"{tmp_path / 'a.csv'}: ") and message in line


def test_text_that_is_too_large(tmp_path):
    with open(tmp_path / "a.txt", "wb") as file:
        file.truncate(1 << 40)  # without its bytes on the disk
    line = line_of(read_lines, tmp_path / "a.txt")
    assert "a.txt: more than 256 MiB, too large for a text file" in line


@pytest.mark.parametrize(
    "text", ["1" * 5000, "1" * 16, "-1", "1e3", "²", "٣" * 20, "", " 1", "1_0"]
)
def test_numbers(text):
    line = line_of(whole_number, text, "x", "a.csv: line 2")
    assert line.startswith("a.csv: line 2: x is ") and len(line) < 100


@pytest.mark.parametrize("number", ["9" * 5000, "1e999", "nan", "-inf", "", "0x10", "ten"])
def test_numbers_in_annotations(tmp_path, number):
    photo(tmp_path / "images" / "a.png")
    size = "<size><width>40</width><height>30</height></size>"
    box = f"<xmin>0</xmin><ymin>0</ymin><xmax>{number}</xmax><ymax>9</ymax>"
    text = (
        f"<a>{size}<object><bndbox>{box}</bndbox><Defect><Crack>1</Crack></Defect></object></a>"
    )
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "a.xml").write_text(text)
    line = line_of(load_crops, tmp_path, size=8)
    assert "a.xml: object 1: bndbox/xmax is " in line and len(line) < len(str(tmp_path)) + 200


# JSON -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[" * 10**5, b'{"sha256": "abc", "value": NaN}', b"[]", b"null", b"7",
        b'"text"', b'{"value": {}}', b'{"sha256": "abc"}', b'{"sha256": "abc", "value": null}',
        b'{"sha256": "abc", "value": {"indices": 7}}', b"1" * 5000, b"\xff\xfe",
        b'{"sha256": "abc", "value": {"indices": ["a"]}}',
        b'{"sha256": "abc", "value": {"indices": [1e999]}}',
        b'{"sha256": "abc", "value": {"indices": [-1]}}',
    ],
)  # fmt: skip
def test_odd_records(tmp_path, content):
    path = tmp_path / "drawn.json"
    path.write_bytes(content)
    line = line_of(remembered, path, dict, "abc", fits)
    assert f"{path}: truncated or damaged " in line


def test_json_in_other_encodings(tmp_path):
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        (tmp_path / "a.json").write_text('{"é": 1}', encoding)
        assert read_json(tmp_path / "a.json") == {"é": 1}


# Names ------------------------------------------------------------------------------------


@pytest.fixture
def listed(tmp_path):
    """A list of crops, beside a photo that is none of its folder."""
    photo(tmp_path / "secret.png")
    photo(tmp_path / "set" / "images" / "a.png")
    return tmp_path / "set"


@pytest.mark.parametrize(
    "name",
    ["../secret.png", "../secret", "images/../../secret.png", "{}/secret.png", "//etc/passwd",
     "link.png", "images/link.png", "folder/secret.png", "loop", "..", "x" * 300, "a/" * 200],
)  # fmt: skip
def test_lists_stay_in_their_folder(listed, name):
    os.symlink("../secret.png", listed / "link.png")
    os.symlink("../../secret.png", listed / "images" / "link.png")
    os.symlink("..", listed / "folder")
    os.symlink("loop", listed / "loop")
    (listed / "crops.csv").write_text(f"photo,x,y\n{name.format(listed.parent)},0,0\n")
    line = line_of(load_crops, listed, size=8)
    assert line.startswith(f"{listed / 'crops.csv'}: line 2: ")
    assert "leads out of" in line or "no photo" in line


def test_what_is_inside(tmp_path):
    photo(tmp_path / "b" / "a.png")
    os.symlink("b", tmp_path / "link")
    for name in ("b/a.png", "link/a.png", "./b//a.png", "none.png"):
        assert inside(tmp_path, name, "list") == tmp_path / name
    os.symlink("..", tmp_path / "b" / "up")
    assert "leads out of" in line_of(inside, tmp_path / "b", "up/a.png", "list")
    assert inside(tmp_path / "b", "up/a.png", "list", links=True)


NAMES = [b"caf\xe9", b"a\nb", b"\x1b[31m", b"[bold]", "図 é".encode(), b"a\\nb", b"a,b", b'a"b']


@pytest.mark.parametrize("name", NAMES)
def test_names_of_classes(tmp_path, name):
    name = os.fsdecode(name)
    for part in ("train", "test"):
        for label in (name, "zz"):
            photo(tmp_path / part / label / "1.png")
    images = load_labelled_images(tmp_path, 8)
    assert printable(name) in images.classes and len(images.classes) == 2
    assert "\n" not in "".join(images.classes).encode().decode()


@pytest.mark.parametrize("name", NAMES)
def test_names_in_lists_of_crops(tmp_path, name):
    folder, name = tmp_path / "set", os.fsdecode(name)
    for label in (name, "zz"):
        photo(folder / label / f"{name}.png", 10 + len(label))
    crops = load_crops(folder, 4, 8)
    assert printable(name) in crops.classes and f"{printable(name)}.png" in crops.files[-1]
    save_list(crops, tmp_path / "crops.csv")
    again = load_list(tmp_path / "crops.csv", folder, 8)
    assert digest(again) == digest(crops) and again.files == crops.files


@pytest.mark.parametrize("name", NAMES)
def test_names_of_captioned_images(tmp_path, name):
    folder = tmp_path / os.fsdecode(name)
    for stem in (os.fsdecode(name), "b", "c"):
        photo(folder / f"{stem}.png")
        (folder / f"{stem}.txt").write_text("a red flower\n")
    images = load_captioned_images(folder, 8)
    assert f"{printable(os.fsdecode(name))}.png" in images.files
    "".join((images.name, *images.files)).encode()


@pytest.mark.parametrize(
    "load", [load_scenes, load_labelled_images, load_crops, load_captioned_images]
)
def test_data_that_is_no_folder(tmp_path, load):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").write_text("a")
    for path in (
        tmp_path / "none",
        tmp_path / "pipe",
        tmp_path / "a.txt",
        tmp_path / ("a" * 300),
    ):
        assert line_of(load, path).startswith(f"{path}: ")
