from dataclasses import dataclass

from multistage.operations import Normalisation, normalisations


@normalisations.register("batchnorm", section="batch_norm", rank=2)
@dataclass(frozen=True)
class BatchNorm(Normalisation):
    """Batch normalisation (Ioffe & Szegedy, ICML 2015).

    With frozen filters, one pass over the training images computes its statistics.
    """

    across_samples = True
    layer = "torch.nn:BatchNorm2d"
