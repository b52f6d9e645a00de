"""Digests of the code name the code that a process has loaded."""

import pytest

from multistage.storage import code


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of two rooms, which stands for this one."""
    for name in ("data/images.py", "data/deep/files.py", "database.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    return tmp_path


def test_a_file_that_changes_while_a_process_runs_makes_the_digest_that_of_neither(package):
    """Otherwise what the old code computed would be kept under the name of the new code, for good."""
    before = code.code_digest("data")
    (package / "data/images.py").write_text("changed")
    during = code.code_digest("data")
    code.started.cache_clear()  # as in a new process
    after = code.code_digest("data")
    assert len({before, during, after}) == 3
    (package / "data/images.py").write_text("data/images.py")
    code.started.cache_clear()
    assert code.code_digest("data") == before


def test_a_digest_is_that_of_its_places(package):
    whole, file = code.code_digest("data"), code.code_digest("data/images.py")
    for name, changes in {"database.py": (False, False), "data/deep/files.py": (True, False)}.items():
        (package / name).write_text("changed")
        code.started.cache_clear()
        assert (code.code_digest("data") != whole, code.code_digest("data/images.py") != file) == changes


def test_a_place_that_is_not_there_is_an_error(package):
    with pytest.raises(OSError, match="dato"):
        code.code_digest("dato")
