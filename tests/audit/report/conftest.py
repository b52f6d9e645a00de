import pytest
from report import invented

from multistage.records import paper
from multistage.settings import composition


@pytest.fixture(scope="session")
def published():
    return paper.published(composition.CONF.parent / "results" / "paper.yaml")


@pytest.fixture(scope="session")
def record():
    return invented.record


@pytest.fixture(scope="session")
def ablation():
    return invented.records
