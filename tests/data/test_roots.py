"""A data root that is no root, or that nothing can be fetched into: refused in one line, and left as it was."""

import pytest

from multistage.data import caltech101
from multistage.data.fetching import alone

FOLDERS = {
    "mnist": "MNIST/raw",
    "fashion_mnist": "FashionMNIST/raw",
    "cifar10": "cifar-10-batches-py",
    "caltech101": "caltech101/101_ObjectCategories",
}


@pytest.fixture
def asked(monkeypatch):
    """What was to be fetched; nothing is."""
    addresses = []

    def refuse(request, *_, **__):
        addresses.append(getattr(request, "full_url", request))
        raise OSError("there is no network here")

    monkeypatch.setattr("multistage.data.fetching.urlopen", refuse)
    return addresses


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


DEEPER = [(name, folder[:end]) for name, folder in FOLDERS.items() for end in (folder.find("/"), None) if end != -1]


@pytest.mark.parametrize(("name", "below"), [*DEEPER, *((name, f"{FOLDERS[name]}/ant") for name in FOLDERS)])
def test_the_data_set_itself_is_no_root(made, load, refused, root, asked, name, below):
    made(name)
    (root / below).mkdir(exist_ok=True)
    before = tree(root)
    with refused() as refusal:
        load(name, root=str(root / below))
    assert str(refusal.value) == f"data.root={root / below} is the data set itself; type data.root={root}"
    assert (tree(root), asked) == (before, [])


@pytest.mark.parametrize(("name", "below"), DEEPER)
def test_a_data_set_in_a_folder_of_another_name_is_no_root_either(made, load, refused, root, asked, name, below):
    first = made(name).folder.relative_to(root).parts[0]
    if name == "caltech101":
        (root / FOLDERS[name] / "BACKGROUND_Google").mkdir()
    (root / first).rename(root / "mine")
    given = root / "mine" / below.partition("/")[2]
    with refused("is a data set itself", f"must be in {FOLDERS[name]} below", given):
        load(name, root=str(given))
    assert asked == []


@pytest.mark.parametrize("name", FOLDERS)
@pytest.mark.parametrize("there", ["", "new", "new/one"])
def test_a_download_that_fails_leaves_no_folder(load, refused, root, asked, name, there):
    (root / "mine").mkdir()
    with refused("there is no network here"):
        load(name, root=str(root / there))
    assert asked
    assert tree(root) == ["mine"]


@pytest.mark.parametrize("name", FOLDERS)
def test_folders_that_were_there_stay(load, refused, root, asked, name):
    (root / FOLDERS[name]).mkdir(parents=True)
    before = tree(root)
    with refused("there is no network here"):
        load(name)
    assert tree(root) == before


def test_what_others_put_into_a_new_folder_stays(tmp_path):
    def fetch():
        with alone(tmp_path / "a/b", "mnist") as scratch:
            (scratch / "part").touch()
            (tmp_path / "a/another").touch()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch()
    assert tree(tmp_path) == ["a", "a/another"]


def test_the_advice_names_a_root(tmp_path):
    assert caltech101.SOURCE.advice(tmp_path).endswith("to a folder that holds caltech101/101_ObjectCategories")
