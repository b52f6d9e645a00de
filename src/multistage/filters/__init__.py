"""Where filter values come from without labels: `random` (as `network` draws them), `gabor` with templates, `psd`.

Stages are given their filters one after the other, as each looks at what the ones before it make of training images.
"""

import json
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from multistage.data import Dataset
from multistage.data.dataset import hash_tensors
from multistage.filters.gabor import gabor
from multistage.filters.psd import psd
from multistage.filters.values import Filters, Method
from multistage.network.net import MultiStageNet
from multistage.network.randomness import generator
from multistage.records import durable
from multistage.records.cache import cached
from multistage.records.runs import RESULTS_VERSION
from multistage.settings.config import Config
from multistage.train import features

METHODS: Mapping[str, Method] = {"gabor": gabor, "psd": psd}

Report = Callable[[int, int, float], None]
"""Called with (number of the stage, how many steps were done, mean energy of the last batch)."""


def tell_nobody(stage: int, step: int, energy: float) -> None:
    """Reports nothing."""


def initialise(
    config: Config,
    net: MultiStageNet,
    dataset: Dataset,
    train: Tensor,
    device: torch.device,
    report: Report = tell_nobody,
) -> list[dict[str, float]]:
    """Give the filter banks of a network the values that ``filters`` names, unless they are to be random.

    Args:
        config: The run's configuration.
        net: Made from it, with random filters; on the CPU, before and afterwards.
        dataset: Where the images are.
        train: Which of them may be looked at: the training images.
        device: Where to compute.
        report: Told how far learning has got.

    Returns:
        What was measured of each stage's filters, by name.

    Raises:
        MultistageError: Images without any structure.
    """
    measured = []
    for number, bank in enumerate(net.filter_banks, 1):
        before = net.stages[: number - 1]
        if any(isinstance(module, nn.BatchNorm2d) for module in before.modules()):
            features.calibrate_batch_norm(net, dataset, train, device)
        source = json.dumps(
            {
                "stage": number,
                "before": features.digest(before),
                "connections": None if bank.connections is None else hash_tensors(bank.connections),
                "config": {key: value for key, value in config.items() if _bears_on_filters(key, number)},
                "data": dataset.content_hash,
                "images": hash_tensors(train),
                "device": device.type,
                "torch": torch.__version__,
                "threads": torch.get_num_threads(),
                "code": _code(),
                "results_version": RESULTS_VERSION,
            },
            sort_keys=True,
        )

        def build(number: int = number, before: nn.Module = before) -> dict[str, Tensor]:
            random = generator(config["seed"], f"{config['filters']} images", number)
            order = train[torch.randperm(len(train), generator=random)]

            def maps(limit: int) -> Tensor:
                return features.outputs(before, dataset, order[:limit], device)

            bank, told = net.filter_banks[number - 1], partial(report, number)
            found = METHODS[config["filters"]](config, number, bank, maps, device, told)
            return found.tensors()

        found = Filters.of(cached("filters", source, build, limited=True))
        found.install(bank)
        measured.append(found.measured)
    return measured


def _bears_on_filters(key: str, number: int) -> bool:
    """Whether a setting changes what is found for a stage; the first one's input depends on no operation."""
    section, _, rest = key.partition(".")
    if rest.startswith("stage"):
        return int(rest.removeprefix("stage").partition(".")[0]) <= number
    if section in ("stages", *(("model", "contrast_norm") if number == 1 else ())):
        return False
    return features.bears_on_features(key) or key in ("filters", "seed") or section in METHODS


@lru_cache
def _code() -> str:
    """SHA-256 of the files that decide what is learned."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return features.code_digest() + durable.digest(b"".join(path.read_bytes() for path in files))
