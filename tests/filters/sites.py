import torch

from multistage.filters.values import Site


def site(config, number, bank, maps):
    """What a filter method is given for a stage of a run."""
    filter_range = config[f"geometry.stage{number}.filter_range"]
    return Site(number, bank, maps, filter_range, config["seed"], torch.device("cpu"))
