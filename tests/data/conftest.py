import contextlib
import functools
import hashlib
import http.server
import os
import re
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from data import sets
from PIL import Image
from torchvision.datasets import CIFAR10

from multistage.data import Draw, drawn, listed, manifest
from multistage.data.sets import coil20
from multistage.data.sets.cifar10 import Cifar10
from multistage.data.sets.fashion_mnist import FashionMnist
from multistage.data.sets.mnist import Mnist
from multistage.data.splits import Split
from multistage.registry.errors import DataError
from multistage.settings import composition
from multistage.settings.tree import parse

TESTS = Path(__file__).resolve().parents[1]
SHARED = TESTS.parents[1] / "shared"
REAL_DATA = Path(os.environ.get("MULTISTAGE_DATA") or SHARED / "data")
OFFICIAL = {"mnist": Mnist, "fashion_mnist": FashionMnist, "cifar10": Cifar10}
SIZES = {"caltech101": (1, 24), "cifar10": (3, 32), "digits": (1, 28), "fake": (1, 28), "fashion_mnist": (1, 28)}
SIZES |= {"coil20": (1, 24), "image_folder": (1, 24), "mnist": (1, 28), "norb": (1, 96)}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache") / "multistage"
    monkeypatch.setenv("MULTISTAGE_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    connect = socket.socket.connect

    def only_here(self, address):
        if address[0] != "127.0.0.1":
            raise OSError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", only_here)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def defaults():
    """What a run is told if nothing is typed; composed once."""
    return composition.plan([]).config


@pytest.fixture
def settings(root, defaults):
    """``settings("mnist", validation=5)``: those of a run on a data set, with images as small as tests like them."""

    def make(name, draw=0, **changes):
        maps, side = SIZES[name]
        given = {"maps": maps, "image_size": side, "variance": "one_pass", "skip_damaged": False, "validation": 0}
        given |= {"train_per_class": 30, "test_per_class": 30, "root": str(root), "colour": "gray", **changes}
        return parse(defaults | {"data": name, "draw": draw, **{f"data.{key}": value for key, value in given.items()}})

    return make


class Everything(Draw):
    """All images of a data set."""

    def of(self, dataset):
        numbers = torch.arange(len(dataset.names))
        return Split(numbers, numbers[:0], numbers[:0], "")


@pytest.fixture
def load(settings):
    """``load("mnist")``: the data set itself, all its images read."""

    def read(name, **changes):
        listed.cache_clear()
        return drawn(settings(name, **changes).data, Everything())[0]

    return read


@pytest.fixture
def made(root, nobody, monkeypatch, digests):
    """``made("mnist")`` writes a small data set below the root; its checksums stand in for the real ones."""

    def make(name):
        data = sets.MADE[name](root)
        if name in OFFICIAL:
            monkeypatch.setattr(OFFICIAL[name], "mirrors", [nobody])
        if name == "coil20":
            monkeypatch.setattr(coil20, "CONTENT", sets.pixel_digest(data.files))
        if name in ("caltech101", "mnist", "norb"):
            listed = digests(root if name == "mnist" else data.folder)
            monkeypatch.setattr(manifest, "read", {name: listed}.__getitem__)
        if name == "cifar10":
            sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in data.files}
            listed = [[batch, sums[batch]] for batch in sets.CIFAR10_BATCHES]
            monkeypatch.setattr(CIFAR10, "train_list", listed[:5])
            monkeypatch.setattr(CIFAR10, "test_list", listed[5:])
            monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": sums["batches.meta"]})
        return data

    return make


@pytest.fixture
def refused():
    """``with refused("a", "b"):`` expects a DataError of one line that holds these words."""

    @contextlib.contextmanager
    def expect(*words):
        with pytest.raises(DataError) as caught:
            yield caught
        message = str(caught.value)
        assert len(message.splitlines()) == 1
        for word in words:
            assert str(word) in message

    return expect


@pytest.fixture
def write_image():
    """Writes pixels, or random ones of a shape, as an image file whose type the name says."""

    def write(path, pixels, **options):
        if isinstance(pixels, tuple):
            seed = int.from_bytes(path.name.encode()[:8], "big")
            pixels = np.random.default_rng(seed).integers(0, 256, pixels, dtype=np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path, **options)
        return path

    return write


@pytest.fixture
def peak():
    """``peak(function)``: bytes that a call takes at most, beyond what is in memory before it."""

    def resident(what):
        return int(re.search(rf"{what}:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024

    def measure(function):
        try:
            Path("/proc/self/clear_refs").write_text("5")  # from here on, the peak is that of what follows
            before = resident("VmRSS")
        except OSError:
            pytest.skip("peaks of memory cannot be measured here")
        function()
        return resident("VmHWM") - before

    return measure


@pytest.fixture
def digests():
    """What a manifest of a folder holds, made without the code under test."""

    def compute(folder):
        files = [p for p in folder.rglob("*") if p.is_file()]
        return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}

    return compute


class _Handler(http.server.BaseHTTPRequestHandler):
    def __init__(self, files, headers, *args):
        self.files, self.headers_sent = files, headers
        super().__init__(*args)

    def do_GET(self):
        body = self.files.get(self.path.strip("/"))
        if body is None:
            return self.send_error(404)
        self.send_response(200)
        for name, value in (self.headers_sent or {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        return self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def serve():
    """``serve({"name": bytes})`` -> address of a web server on this machine that holds these files."""
    servers = []

    def start(files, headers=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, files, headers))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_address[1]}/"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def nobody():
    """An address of this machine where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return f"http://127.0.0.1:{port}/"


@pytest.fixture
def real_data():
    if not (REAL_DATA / "caltech101").is_dir() or not (REAL_DATA / "MNIST").is_dir():
        pytest.skip("the real data are not on this machine")
    return REAL_DATA.resolve()


@pytest.fixture
def golden():
    def read(name):
        for path in (TESTS / "golden" / name, SHARED / "golden" / name):
            if path.is_file():
                return np.load(path, allow_pickle=False)
        return pytest.skip(f"{name} is not on this machine")

    return read
