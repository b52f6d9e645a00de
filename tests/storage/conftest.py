import pytest
import torch

from multistage.storage import cache


@pytest.fixture
def cache_folder(tmp_path, monkeypatch):
    """The cache of this test."""
    monkeypatch.setattr(cache, "_in_use", {})
    monkeypatch.setenv("MULTISTAGE_CACHE", str(tmp_path / "multistage"))
    return tmp_path / "multistage"


@pytest.fixture
def build():
    """Makes an entry, and counts how often."""

    def make():
        make.calls += 1
        return {"images": torch.arange(6.0).reshape(2, 3), "labels": torch.tensor([make.calls])}

    make.calls = 0
    return make
