import pytest

from multistage.filters.convolutional_psd import ConvolutionalEncoder
from multistage.filters.psd import Encoder


@pytest.fixture(autouse=True)
def _few_are_measured(monkeypatch):
    """Scale and quality of learned filters are measured on fewer patches and regions than runs take."""
    monkeypatch.setattr(Encoder, "tested", 500)
    monkeypatch.setattr(ConvolutionalEncoder, "tested", 16)
