"""Packages that training and prediction need besides torch; missing ones are named with the install command."""

from importlib.util import find_spec

from multistage.registry.errors import MultistageError

TRAIN = (
    *("PIL", "filelock", "hydra", "numpy", "omegaconf", "pytorch_lightning", "safetensors", "scipy", "sklearn"),
    *("rich", "threadpoolctl", "torchmetrics", "torchvision", "yaml"),
)
"""Packages of the extra `train` of pyproject.toml, by their import names."""


def require() -> None:
    """Refuse to start without the packages that training and prediction need.

    Raises:
        MultistageError: One line with those that are missing.
    """
    if missing := [package for package in TRAIN if find_spec(package) is None]:
        raise MultistageError(f"{', '.join(missing)} not installed; type pip install 'multistage[train]'")
