import gc
import importlib.util
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from multistage.cli.imports import hidden, uncollected


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


@pytest.mark.parametrize("enabled", [True, False])
def test_collection_of_garbage_rests_and_is_as_before_afterwards(enabled):
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        with pytest.raises(ModuleNotFoundError), uncollected():
            import multistage.missing  # noqa: F401
        with uncollected():
            assert not gc.isenabled()
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


AFTER_A_RUN = """
import gc, sys
import train
from multistage.settings import composition
path = list(sys.meta_path)
train.execute(composition.plan(["data=fake", "stages=1", "trainer.max_epochs=1", f"output={sys.argv[1]}"]), "none")
import torch
from multistage import LocalContrastNorm
import matplotlib, scipy, torchvision
assert gc.isenabled()
assert sys.meta_path[-len(path):] == path
norm, x = LocalContrastNorm(), torch.randn(2, 3, 8, 7)
torch.testing.assert_close(torch.compile(norm, fullgraph=True, backend="aot_eager")(x), norm(x))
"""


def test_a_run_leaves_nothing_hidden_and_compilers_whole(tmp_path):
    root = Path(__file__).parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, "-c", AFTER_A_RUN, tmp_path], cwd=root, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
