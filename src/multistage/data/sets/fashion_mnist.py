"""Fashion-MNIST (Zalando): 60,000 training and 10,000 test images of clothes, 28x28."""

from dataclasses import dataclass

from multistage.data import data_sets
from multistage.data.fetching import Packed
from multistage.data.official import Official


@data_sets.register("fashion_mnist", rank=2)
@dataclass(frozen=True)
class FashionMnist(Official):
    """All images with the official split, uint8 [70000, 1, 28, 28]."""

    kind, folder, mark = "FashionMNIST", "FashionMNIST/raw", "*-ubyte*"
    mirrors = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    packed = {  # noqa: RUF012
        "train-images-idx3-ubyte.gz": Packed(
            26421880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": Packed(29515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        "t10k-images-idx3-ubyte.gz": Packed(
            4422102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": Packed(5148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    }
    source = "put the four files of https://github.com/zalandoresearch/fashion-mnist (30 MB, MIT)"
