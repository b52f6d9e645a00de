"""Downloads from servers that mean no good, and by several processes at once; the servers are real ones."""

import gzip
import io
import multiprocessing
import os
import shutil
import signal
import tarfile
import threading
import time
import zipfile
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from data.sets import packed

from multistage.data import fetching, manifest
from multistage.data.caltech101 import SOURCE
from multistage.data.download import obtain
from multistage.data.fetching import Bounded, Packed, alone, fetch, fetch_any
from multistage.data.sets.mnist import Mnist

SOURCE_2_MB = replace(SOURCE, size_mb=2, unpacked_mb=2)


@pytest.fixture
def served():
    """``served(answer)``: address of a server that answers by `answer(handler)`, and the paths it was asked for."""
    servers = []

    def start(answer):
        asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                with suppress(OSError):  # nobody listens any more
                    answer(self)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads, server.block_on_close = True, False
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}/", asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def begin(handler, length=None):
    handler.send_response(200)
    if length is not None:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()


def endless(handler):
    begin(handler)
    while True:
        handler.wfile.write(bytes(2**16))


def endless_chunks(handler):
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + bytes(2**16) + b"\r\n")


def larger_than_said(handler):
    begin(handler, 2**40)
    while True:
        handler.wfile.write(bytes(2**16))


def trickling(handler):
    begin(handler, 10**6)
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def trickling_headers(handler):
    handler.wfile.write(b"HTTP/1.0 200 OK\r\nX-Long: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def silent(handler):
    time.sleep(30)


@pytest.mark.parametrize("answer", [endless, endless_chunks, larger_than_said])
def test_a_server_that_never_ends_is_left_at_the_limit(served, root, refused, answer):
    url, _ = served(answer)
    with refused("sends more than the expected 2,200,000 bytes", url, "2 MB", SOURCE.licence):
        obtain(replace(SOURCE_2_MB, url=url + "caltech-101.zip"), root, {"ant/1.jpg": "0" * 64})
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("answer", [trickling, trickling_headers, silent])
def test_a_server_that_is_too_slow_is_not_waited_for(served, root, refused, monkeypatch, answer):
    monkeypatch.setattr(fetching, "PATIENCE", 0.5)
    url, _ = served(answer)
    began = time.monotonic()
    with refused("", url, "MB"):
        obtain(replace(SOURCE_2_MB, url=url + "caltech-101.zip"), root, {"ant/1.jpg": "0" * 64})
    assert time.monotonic() - began < 5
    assert list(root.iterdir()) == []


def test_a_slow_server_is_waited_for_as_long_as_enough_arrives(served, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "PATIENCE", 0.5)

    def slow(handler):
        begin(handler, 30_000)
        for _ in range(10):
            handler.wfile.write(bytes(3000))
            time.sleep(0.15)

    url, _ = served(slow)
    fetch(url, tmp_path / "file", 30_000)
    assert (tmp_path / "file").stat().st_size == 30_000


def tar_of(size, name="101_ObjectCategories/ant/1.jpg", **fields):
    """A packed tar file of one member of so many zeros."""
    content = io.BytesIO()
    with gzip.open(content, "wb") as packed_tar:
        member = tarfile.TarInfo(name)
        member.size = size
        for field, value in fields.items():
            setattr(member, field, value)
        packed_tar.write(member.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size // 2**20):
            packed_tar.write(bytes(2**20))
    return content.getvalue()


BOMBS = {
    "listed": tar_of(100 * 2**20),
    "not listed": tar_of(100 * 2**20, "other/9.jpg"),
    "in a name": tar_of(100 * 2**20, type=tarfile.GNUTYPE_LONGNAME),
    "in a header": tar_of(100 * 2**20, type=tarfile.XHDTYPE),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_an_archive_that_unpacks_to_far_more_is_left_at_the_limit(serve, root, refused, peak, kind):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression=zipfile.ZIP_DEFLATED) as outer:
        outer.writestr(SOURCE.inner, BOMBS[kind])
    assert len(content.getvalue()) < 10_000
    url = serve({"caltech-101.zip": content.getvalue()}) + "caltech-101.zip"

    def get():
        with refused("unpacks to more than 3,000,000 bytes", url):
            obtain(replace(SOURCE_2_MB, url=url), root, {"ant/1.jpg": "0" * 64})

    assert peak(get) < 30 * 2**20
    assert list(root.iterdir()) == []


def test_no_more_is_unpacked_than_asked_for():
    bounded = Bounded(io.BytesIO(bytes(100)), 60)
    assert (len(bounded.read(50)), len(bounded.read(10))) == (50, 10)
    with pytest.raises(ValueError, match="unpacks to more than 60 bytes"):
        bounded.read(1)
    with pytest.raises(ValueError, match="unpacks to more than 60 bytes"):
        Bounded(io.BytesIO(bytes(100)), 60).read()
    assert len(Bounded(io.BytesIO(bytes(60)), 60).read()) == 60


def test_what_has_another_sha256_is_never_unpacked_and_the_next_address_is_asked(serve, nobody, tmp_path):
    good, forged = serve({"file.gz": b"good"}), serve({"file.gz": b"evil"})
    expected = packed({"file.gz": b"good"})["file.gz"]
    addresses = [address + "file.gz" for address in (nobody, forged, good)]
    fetch_any(addresses, tmp_path / "file.gz", expected)
    assert (tmp_path / "file.gz").read_bytes() == b"good"
    addresses.pop()
    with pytest.raises(ValueError, match="sends another file, of SHA-256") as refusal:
        fetch_any(addresses, tmp_path / "file.gz", expected)
    assert all(address in str(refusal.value) for address in addresses)


def test_every_file_of_a_set_has_a_size_and_a_sha256():
    assert len(Mnist.packed) == 4
    assert all(
        isinstance(each, Packed) and len(each.sha256) == 64 and each.size > 4000 for each in Mnist.packed.values()
    )


# One downloads, the others wait


CONTENT = {f"ant/{number}.jpg": b"ant" * number for number in range(3)}


def an_archive():
    inner, outer = io.BytesIO(), io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as tar:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with zipfile.ZipFile(outer, "w") as file:
        file.writestr(SOURCE.inner, inner.getvalue())
    return outer.getvalue()


def started(target, *arguments):
    process = multiprocessing.get_context("fork").Process(target=target, args=arguments)
    process.start()
    return process


def test_of_three_processes_one_downloads_and_the_others_wait(served, root, digests, tmp_path):
    def slowly(handler):
        begin(handler, len(an_archive()))
        time.sleep(0.5)
        handler.wfile.write(an_archive())

    url, asked = served(slowly)
    for name, content in CONTENT.items():
        (tmp_path / "truth" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "truth" / name).write_bytes(content)
    expected = digests(tmp_path / "truth")
    source = replace(SOURCE, url=url + "caltech-101.zip")
    processes = [started(obtain, source, root / "new", expected) for _ in range(3)]
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert len(asked) == 1
    manifest.verify(root / "new" / SOURCE.folder, expected)
    assert [path.name for path in (root / "new").iterdir()] == ["caltech101"]


def test_what_a_killed_download_left_goes_with_the_next_one(root):
    def killed():
        with alone(root, "mnist") as scratch:
            (scratch / "part").write_bytes(bytes(1000))
            os.kill(os.getpid(), signal.SIGKILL)

    process = started(killed)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert len(list(root.iterdir())) == 2
    with alone(root, "mnist"):
        pass
    assert list(root.iterdir()) == []


def test_mnist_that_was_interrupted_goes_on_where_it_was(made, served, load, root, monkeypatch):
    data = made("mnist")
    files = {f"{path.name}.gz": gzip.compress(path.read_bytes()) for path in data.files}
    shutil.rmtree(data.folder)
    second = list(files)[1]

    def answer(handler):
        name = handler.path.strip("/")
        begin(handler, len(files[name]))
        if name == second and asked.count(handler.path) == 1:
            handler.wfile.write(files[name][:9])
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)
        else:
            handler.wfile.write(files[name])

    url, asked = served(answer)
    monkeypatch.setattr(Mnist, "packed", packed(files))
    monkeypatch.setattr(Mnist, "mirrors", [url])
    with pytest.raises(KeyboardInterrupt):
        load("mnist")
    assert [path.name for path in data.folder.iterdir()] == [data.files[0].name]
    assert load("mnist").labels.tolist() == data.truth.labels
    assert sorted(path.name for path in data.folder.iterdir()) == [path.name for path in data.files]
    assert asked == [f"/{name}" for name in [*list(files)[:2], *list(files)[1:]]]
    assert [path.name for path in root.iterdir()] == ["MNIST"]
