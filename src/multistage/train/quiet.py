"""Silence known hints and warnings of libraries, each with its reason; all others are shown."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

KNOWN = (
    ".*isinstance\\(treespec, LeafSpec\\).*",  # torch's own deprecation: Lightning issue 20780
    ".*GPU available but not used.*",  # trainer.accelerator=cpu, on purpose
    ".*is smaller than the logging interval.*",  # only callbacks log by steps here, at intervals of their own
    ".*Total length of `Loader` across ranks is zero.*",  # trainer.overfit_batches without validation images
)


@contextmanager
def quiet() -> Iterator[None]:
    """Hide Lightning's device tables and advertisements, wandb's banner and the warnings above (context manager)."""
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(package).setLevel(logging.WARNING)
    os.environ.setdefault("WANDB_SILENT", "true")
    with warnings.catch_warnings():
        for message in KNOWN:
            warnings.filterwarnings("ignore", message)
        yield
