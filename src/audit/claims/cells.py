"""The cells that claims compare: folders of results, rows and columns of Table 1, what one has more than another."""

from collections.abc import Iterable

from audit.tables.addresses import ABS, BOTH, N_MAX, NEITHER, Folder, N, Quantity

READOUTS = ("sgd", "lbfgs")
COLUMNS = (BOTH, ABS, N_MAX, N, NEITHER)
RANDOM, REFINED = ("RR, sgd", "RR, lbfgs", "R+R+"), ("U+U+", "R+R+")

table1, table1_tests, beyond_table1 = Folder("table1"), Folder("table1_tests"), Folder("beyond_table1")
ablation, mnist, norb = Folder("ablation"), Folder("mnist"), Folder("norb")
labels_mnist, labels_mnist_variants = Folder("labels_mnist"), Folder("labels_mnist_variants")
labels_caltech101 = Folder("labels_caltech101")


def frozen(*rows: str) -> list[str]:
    """Rows of frozen filters with each readout."""
    return [f"{row}, {readout}" for row in rows for readout in READOUTS]


def gain(rows: Iterable[str], model: str, less: str) -> list[Quantity]:
    """What one column has more than another, by row."""
    return [table1(row, model) - table1(row, less) for row in rows]


def frozen_less(row: str, other: str, *models: str) -> list[Quantity]:
    """What one row of frozen filters has more than another, by readout and column."""
    return [table1(f"{row}, {r}", model) - table1(f"{other}, {r}", model) for r in READOUTS for model in models]


def beyond(quantities: Iterable[Quantity], others: Iterable[Quantity]) -> list[Quantity]:
    """Each quantity less the other one in its place."""
    return [one - other for one, other in zip(quantities, others, strict=True)]
