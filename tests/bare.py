"""For ``pytest --noconftest -p bare``: tests of layers and network where multistage is installed beside torch alone."""

from importlib.util import find_spec

import pytest
import torch
from hypothesis import settings

from multistage.cli.extras import TRAIN

TOOLS = ("numpy", "scipy", "yaml", "filelock")  # the tests' own, the last one torch's

settings.register_profile("project", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("project")
torch.set_num_threads(1)


def pytest_configure(config):
    if installed := [package for package in TRAIN if package not in TOOLS and find_spec(package)]:
        pytest.exit(f"these are installed beside torch: {', '.join(installed)}", returncode=1)


@pytest.fixture
def plan():
    pytest.skip("composing settings needs the extra 'train'")
