"""log(1 + exp(x)): an example of a rectification."""

from dataclasses import dataclass

from multistage.operations import Rectification, rectifications


@rectifications.register("softplus")
@dataclass(frozen=True)
class Softplus(Rectification):
    """log(1 + exp(x))."""

    def build(self, channels):
        from torch.nn import Softplus

        return Softplus()
