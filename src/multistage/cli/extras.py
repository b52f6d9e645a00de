"""Packages that are missing, and what to type to have them: `multistage` alone needs torch and nothing else."""

EXTRAS = {
    "train": (
        *("PIL", "filelock", "hydra", "lightning_fabric", "numpy", "omegaconf", "pytorch_lightning", "safetensors"),
        *("scipy", "sklearn", "threadpoolctl", "torchmetrics", "torchvision", "yaml"),
    ),
    "wandb": ("wandb", "wandb_workspaces"),
    "tensorboard": ("tensorboard",),
}
"""The extras of pyproject.toml and what they bring, by the names under which it is imported."""


def advice(error: ModuleNotFoundError) -> str:
    """One line: what is missing, and the command that brings it.

    Raises:
        ModuleNotFoundError: The error itself, if no extra brings what is missing.
    """
    package = (error.name or "").partition(".")[0]
    for extra, packages in EXTRAS.items():
        if package in packages:
            return f"{package} is not installed; pip install 'multistage[{extra}]' brings it"
    raise error
