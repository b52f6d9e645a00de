import pytest
import torch
from hypothesis import settings
from report import invented

from multistage.data import listed
from multistage.records import paper
from multistage.settings import composition
from multistage.train import protocol
from multistage.train.quiet import quiet

settings.register_profile("project", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("project")
torch.set_num_threads(1)  # tensors are tiny; more threads only wait for each other


LONG = (
    "test_publish.py",
    "test_open_house.py",
    "test_lightning.py",
    "test_command_line.py",
    "test_sections.py",
    "test_composition.py",
)


def pytest_collection_modifyitems(items):
    """Files that take long come first, so that no process ends with one of them while the other has nothing to do."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """Nothing is read from or written to the user's folders."""
    monkeypatch.setenv("MULTISTAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MULTISTAGE_DATA", str(tmp_path / "data"))
    yield
    listed.cache_clear()


@pytest.fixture
def plan(tmp_path):
    """Compose and check a run on generated images, as the command line does."""
    return lambda *overrides: composition.plan(("data=fake", f"output={tmp_path / 'runs'}", *overrides))


@pytest.fixture
def do():
    """Do a run; its record."""

    def do(run):
        with quiet():
            return protocol.run(run, "none")

    return do


@pytest.fixture(scope="session")
def train_once(tmp_path_factory):
    """A run on generated images and its record, for several tests to look at."""

    def train(*overrides):
        output = tmp_path_factory.mktemp("trained")
        run = composition.plan(("data=fake", f"output={output}", *overrides))
        with pytest.MonkeyPatch.context() as patch, quiet():
            patch.setenv("MULTISTAGE_CACHE", str(output / ".cache"))
            return run, protocol.run(run, "none")

    return train


@pytest.fixture
def flip_byte():
    def flip(path, position=-1):
        content = bytearray(path.read_bytes())
        content[position] ^= 0xFF
        path.write_bytes(content)

    return flip


@pytest.fixture
def looked(monkeypatch):
    """How many images went through stages, each time that some did."""
    from multistage.train import features

    counts = []
    batches = features.batches

    def counting(stages, dataset, indices, device):
        counts.append(len(indices))
        return batches(stages, dataset, indices, device)

    monkeypatch.setattr(features, "batches", counting)
    return counts


@pytest.fixture(scope="session")
def published():
    return paper.published(composition.CONF.parent / "results" / "paper.yaml")


@pytest.fixture(scope="session")
def record():
    return invented.record


@pytest.fixture(scope="session")
def ablation():
    return invented.records
