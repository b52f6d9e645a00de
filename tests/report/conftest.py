import pytest
from report import invented

from multistage import composition
from multistage.report import paper


@pytest.fixture(scope="session")
def published():
    return paper.published(composition.CONF.parent / "results" / "paper.yaml")


@pytest.fixture(scope="session")
def record():
    return invented.record


@pytest.fixture(scope="session")
def ablation():
    return invented.records
