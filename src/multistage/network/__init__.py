"""The network: shapes as plain arithmetic, and stages of operations with a classifier. torch and `layers` only."""

from multistage.network.net import MultiStageNet

__all__ = ["MultiStageNet"]
