"""For ``pytest --noconftest -p bare``: tests of layers and network where multistage is installed beside torch alone.

Tests that compose settings are skipped: Hydra is not there.
"""

from importlib.util import find_spec

import pytest
import torch
from hypothesis import settings

from multistage.cli.extras import TRAIN
from multistage.settings import composition

TOOLS = ("numpy", "scipy", "yaml", "filelock")  # the tests' own; the last one is torch's

settings.register_profile("project", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("project")
torch.set_num_threads(1)


def needs_hydra(*_):
    pytest.skip("composing settings needs the extra 'train'")


def pytest_configure(config):
    if installed := [package for package in TRAIN if package not in TOOLS and find_spec(package)]:
        pytest.exit(f"these are installed beside torch: {', '.join(installed)}", returncode=1)
    composition.plan = needs_hydra


@pytest.fixture
def plan():
    return needs_hydra
