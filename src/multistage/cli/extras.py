"""What trains and predicts needs more than torch; what is missing is named with the command that brings it."""

from importlib.util import find_spec

from multistage.registry.errors import MultistageError

TRAIN = (
    *("PIL", "filelock", "hydra", "numpy", "omegaconf", "pytorch_lightning", "safetensors", "scipy", "sklearn"),
    *("rich", "threadpoolctl", "torchmetrics", "torchvision", "yaml"),
)
"""What the extra `train` of pyproject.toml brings, by the names under which it is imported."""


def require() -> None:
    """Refuse to start without the packages that training and prediction need.

    Raises:
        MultistageError: One line with those that are missing.
    """
    if missing := [package for package in TRAIN if find_spec(package) is None]:
        raise MultistageError(f"{', '.join(missing)} not installed; pip install 'multistage[train]' brings them")
