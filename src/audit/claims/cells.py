"""Names of the cells that claims compare: folders of results, rows and columns of Table 1."""

from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, Folder, N

READOUTS = ("sgd", "lbfgs")
"""Readouts of frozen filters: the authors' demo, and a converged classifier."""

COLUMNS = (BOTH, ABS, N_MAX, N, NEITHER)
RANDOM, REFINED = ("RR, sgd", "RR, lbfgs", "R+R+"), ("U+U+", "R+R+")

table1, table1_tests, beyond_table1 = Folder("table1"), Folder("table1_tests"), Folder("beyond_table1")
ablation, mnist, norb = Folder("ablation", "digits"), Folder("mnist", "mnist"), Folder("norb", "norb")
labels_mnist, labels_mnist_variants = Folder("labels_mnist", "mnist"), Folder("labels_mnist_variants", "mnist")
labels_coil20, mnist_tuning = Folder("labels_coil20", "coil20"), Folder("mnist_tuning", "mnist")
labels_caltech101, robustness = Folder("labels_caltech101"), Folder("robustness")

NAMED = {name: each for name, each in globals().items() if isinstance(each, Folder)}
"""Folders by name, whether or not they were run."""


def frozen(*rows: str) -> list[str]:
    """Rows of frozen filters with each readout."""
    return [f"{row}, {readout}" for row in rows for readout in READOUTS]
