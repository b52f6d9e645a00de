from importlib import import_module

import pytest


@pytest.fixture(autouse=True)
def _few_are_measured(monkeypatch):
    """Scale and quality of learned filters are measured on fewer patches and regions than runs take."""
    monkeypatch.setattr(import_module("multistage.filters.psd"), "TESTED", 500)
    monkeypatch.setattr(import_module("multistage.filters.convolutional_psd"), "TESTED", 16)
