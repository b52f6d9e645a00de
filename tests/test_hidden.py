import importlib.util
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest

from multistage.hidden import hidden


def test_a_hidden_package_seems_not_to_be_installed_and_is_there_again_afterwards(monkeypatch):
    monkeypatch.delitem(sys.modules, "networkx", raising=False)
    before = list(sys.meta_path)
    with hidden("networkx", "joblib"):
        with pytest.raises(ModuleNotFoundError, match="networkx is hidden"):
            import networkx  # noqa: F401
        with pytest.raises(PackageNotFoundError):
            version("networkx")
        assert version("torch")
        assert importlib.util.find_spec("yaml")
    assert sys.meta_path == before
    assert version("networkx")
    assert importlib.util.find_spec("networkx")
