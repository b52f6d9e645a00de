import hashlib
import io
import shutil
import tarfile
import zipfile
from dataclasses import replace

import pytest

from multistage.data import caltech101, fetching, manifest
from multistage.data.caltech101 import SOURCE
from multistage.data.download import obtain

INNER = "101_ObjectCategories.tar.gz"
FILES = {
    "BACKGROUND_Google/image_0001.jpg": b"background" * 999,
    "ant/image_0001.jpg": b"first ant" * 999,
    "ant/image_0002.jpg": b"second ant" * 999,
    "bee/image_0001.jpg": b"",
}


def info(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def tar_gz(members):
    """A packed tar file of (name or TarInfo, content)."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in members:
            member = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def zipped(files, **options):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", **options) as outer:
        for name, content in files.items():
            outer.writestr(name, content)
    return packed.getvalue()


def original(files):
    """An archive as the original one: (name in it, content) of files below the class folders."""
    return [("101_ObjectCategories", tarfile.DIRTYPE), *((f"101_ObjectCategories/{n}", c) for n, c in files.items())]


def archive(members, **options):
    members = [(info(n, c), b"") if c == tarfile.DIRTYPE else (n, c) for n, c in members]
    inner = tar_gz(members)
    return zipped({"caltech-101/Annotations.tar": b"not this", f"caltech-101/{INNER}": inner}, **options)


@pytest.fixture
def expected():
    """The manifest of `FILES`."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()}


@pytest.fixture
def source(serve):
    def make(content, headers=None):
        return replace(SOURCE, url=serve({"caltech-101.zip": content}, headers) + "caltech-101.zip")

    return make


def files_below(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if not p.is_dir()}


def test_what_is_missing_is_downloaded_complete_and_verified(source, root, expected):
    folder = obtain(source(archive(original(FILES))), root, expected)
    assert folder == root / "caltech101/101_ObjectCategories"
    assert files_below(folder) == FILES
    manifest.verify(folder, expected)
    assert [p.name for p in folder.parent.iterdir()] == ["101_ObjectCategories"]


def test_a_data_root_that_does_not_exist_is_made(source, root, expected):
    assert files_below(obtain(source(archive(original(FILES))), root / "new/one", expected)) == FILES


def test_what_is_there_is_left_alone(root, nobody, expected):
    (root / SOURCE.folder / "ant").mkdir(parents=True)
    (root / SOURCE.folder / "ant/mine.jpg").write_bytes(b"mine")
    assert obtain(replace(SOURCE, url=nobody), root, expected) == root / SOURCE.folder
    assert files_below(root) == {f"{SOURCE.folder}/ant/mine.jpg": b"mine"}


def test_the_downloaded_set_loads(made, source, root, load, monkeypatch):
    data = made("caltech101")
    files = files_below(data.folder)
    shutil.rmtree(root / "caltech101")
    monkeypatch.setattr(caltech101, "SOURCE", source(archive(original(files))))
    assert list(load("caltech101").names) == sorted(files)
    assert files_below(data.folder) == files


def test_unlisted_and_hostile_members_are_not_unpacked(source, root, expected, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "image_0001.jpg").write_bytes(b"precious")
    up = "../" * 9 + str(outside)
    hostile = [
        ("../evil", b"evil"),
        ("../../../evil", b"evil"),
        (f"{outside}/evil", b"evil"),
        (f"{up}/evil", b"evil"),
        ("101_ObjectCategories/ant/../../../../evil", b"evil"),
        ("101_ObjectCategories/ant/image_0003.jpg", b"unlisted"),
        ("101_ObjectCategories/BACKGROUND_Google/tmp", b"unlisted"),
        (info("101_ObjectCategories/ant", tarfile.SYMTYPE, str(outside)), b""),
        (info("101_ObjectCategories/bee", tarfile.SYMTYPE, str(outside)), b""),
        (info("101_ObjectCategories/bee/image_0001.jpg", tarfile.SYMTYPE, str(outside / "image_0001.jpg")), b""),
        (info("101_ObjectCategories/bee/image_0001.jpg", tarfile.LNKTYPE, str(outside / "image_0001.jpg")), b""),
        (info("101_ObjectCategories/bee/image_0001.jpg", tarfile.FIFOTYPE), b""),
        (info("101_ObjectCategories/bee/image_0001.jpg", tarfile.DIRTYPE), b""),
    ]
    packed = archive([*hostile, *original(FILES)])
    folder = obtain(source(packed), root, expected)
    assert files_below(tmp_path) == {
        "outside/image_0001.jpg": b"precious",
        **{f"{folder.relative_to(tmp_path)}/{name}": content for name, content in FILES.items()},
    }
    assert not any(p.is_symlink() for p in folder.rglob("*"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE], ids=["symlink", "link", "fifo"])
def test_a_link_in_place_of_a_file_is_a_missing_file(source, root, expected, refused, kind):
    files = {n: c for n, c in FILES.items() if n != "ant/image_0002.jpg"}
    link = info("101_ObjectCategories/ant/image_0002.jpg", kind, "image_0001.jpg")
    with refused("ant/image_0002.jpg"):
        obtain(source(archive([*original(files), (link, b"")])), root, expected)


def damaged(content, position):
    return content[:position] + (b"\xfe" if content[position] == 255 else b"\xff") + content[position + 1 :]


GOOD = archive(original(FILES))
CHANGED = archive(original(FILES | {"ant/image_0002.jpg": b"another ant"}))
LACKING = archive(original({n: c for n, c in FILES.items() if not n.startswith("ant")}))
DEFLATED = archive(original(FILES), compression=zipfile.ZIP_DEFLATED)


ANOTHER_BYTE, CHUNKED = damaged(GOOD, len(GOOD) // 2), {"Transfer-Encoding": "chunked"}
BAD = {  # what is sent, with which headers, and what is said of it
    "changed file": (CHANGED, None, "ant/image_0002.jpg"),
    "missing files": (LACKING, None, "ant/image_0001.jpg"),
    "web page": (b"<html>Please log in</html>", None, "zip"),
    "empty": (b"", None, "zip"),
    "end cut off": (GOOD[:-40], None, "zip"),
    "connection lost": (GOOD[: len(GOOD) // 2], {"Content-Length": str(len(GOOD))}, ""),
    "connection lost in a chunk": (b"FF\r\nabc", CHUNKED, ""),
    "flipped byte": (ANOTHER_BYTE, None, ""),
    "damaged packing": (damaged(DEFLATED, DEFLATED.index(INNER.encode()) + len(INNER)), None, ""),
    "unknown packing": (damaged(GOOD, GOOD.rindex(b"PK\1\2") + 10), None, ""),
    "another zip": (zipped({"Annotations.tar": b"x"}), None, INNER),
    "no tar inside": (zipped({INNER: b"hello" * 999}), None, ""),
    "empty tar inside": (zipped({INNER: b""}), None, ""),
    "tar cut off": (zipped({INNER: tar_gz(original(FILES)[1:])[:200]}), None, ""),
    "tar of nothing": (zipped({INNER: tar_gz([])}), None, ""),
}


@pytest.mark.parametrize(("content", "headers", "word"), BAD.values(), ids=BAD)
def test_a_bad_download_says_what_to_do_and_leaves_nothing(source, root, expected, refused, content, headers, word):
    archive = source(content, headers)
    with refused(word, archive.url, "137 MB", "CC BY 4.0", root / SOURCE.folder, "data.root"):
        obtain(archive, root, expected)
    assert not (root / SOURCE.folder).exists()
    assert [p for p in root.rglob("*") if p.name != "caltech101"] == []


@pytest.mark.parametrize("where", ["refused", "404"])
def test_no_connection_says_what_to_do_and_leaves_nothing(serve, nobody, root, expected, refused, where):
    url = {"refused": nobody, "404": serve({})}[where] + "caltech-101.zip"
    advice = ("Caltech-101", url, "137 MB", "CC BY 4.0", root / SOURCE.folder, "data.root", "MULTISTAGE_DATA")
    with refused(*advice):
        obtain(replace(SOURCE, url=url), root, expected)
    assert list(root.iterdir()) == []


def test_an_interrupted_download_leaves_nothing(source, root, expected, monkeypatch):
    def interrupt(url):
        yield b"some"
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching, "_blocks", interrupt)
    with pytest.raises(KeyboardInterrupt):
        obtain(source(GOOD), root, expected)
    assert [p for p in root.rglob("*") if p.name != "caltech101"] == []


def test_a_data_root_that_cannot_be_written_is_said(source, root, expected, refused):
    (root / "file").touch()
    with refused(SOURCE.url.rpartition("/")[2], root / "file"):
        obtain(source(GOOD), root / "file", expected)
