import hashlib
import itertools
from collections import Counter

import pytest
import torch

from multistage.data import manifest
from multistage.data.caltech101 import folders_dataset
from multistage.data.dataset import Dataset
from multistage.data.splits import draw_split
from multistage.registry.errors import DataError

COUNTS = {"ant": 9, "bee": 12, "cat": 20}
PARTS = ("train", "validation", "test")
IMAGES = "caltech101/101_ObjectCategories"


def made(counts=COUNTS, test_counts=None):
    names = [f"{name}/{number:02}" for name, count in counts.items() for number in range(count)]
    is_test = None
    if test_counts is not None:
        is_test = torch.tensor([int(n[-2:]) >= counts[n[:-3]] - test_counts[n[:-3]] for n in names])
    class_names = tuple(counts)
    labels = torch.tensor([class_names.index(name[:-3]) for name in names])
    return Dataset(torch.zeros(len(names), 1, 1, 1), labels, class_names, names, is_test, "")


def names_of(dataset, split, part):
    return {dataset.names[i] for i in getattr(split, part).tolist()}


def per_class(dataset, indices):
    return dict(Counter(dataset.class_names[y] for y in dataset.labels[indices].tolist()))


@pytest.mark.parametrize(
    ("train", "test", "validation"), [(1, 1, 0), (5, 4, 0), (5, 4, 2), (8, 1, 7), (5, None, 0), (8, 10, 0)], ids=str
)
def test_every_class_gives_the_numbers_asked_for_or_what_it_has_left(train, test, validation):
    dataset = made()
    split = draw_split(dataset, 3, train, test, validation)
    left = {name: count - train for name, count in COUNTS.items()}
    assert per_class(dataset, split.train) == dict.fromkeys(COUNTS, train - validation)
    assert per_class(dataset, split.validation) == (dict.fromkeys(COUNTS, validation) if validation else {})
    assert per_class(dataset, split.test) == {name: min(test or rest, rest) for name, rest in left.items()}


@pytest.mark.parametrize("test_counts", [None, {"ant": 3, "bee": 4, "cat": 5}], ids=["drawn", "official"])
@pytest.mark.parametrize("validation", [0, 2])
def test_parts_are_disjoint_ascending_indices(test_counts, validation):
    dataset = made(test_counts=test_counts)
    split = draw_split(dataset, 0, 5, None, validation)
    indices = torch.cat([getattr(split, part) for part in PARTS])
    assert len(indices) == len(indices.unique())
    for part in PARTS:
        chosen = getattr(split, part)
        assert chosen.dtype == torch.int64
        assert torch.equal(chosen, chosen.sort().values)


def test_the_same_draw_is_the_same_and_draws_differ():
    dataset = made()
    splits = [draw_split(dataset, draw, 5, 4, 1) for draw in range(20)]
    assert len({split.digest for split in splits}) == 20
    again = draw_split(made(), 7, 5, 4, 1)
    assert again.digest == splits[7].digest
    for part in PARTS:
        assert torch.equal(getattr(again, part), getattr(splits[7], part))


def test_every_image_trains_in_about_half_of_the_draws_when_half_train():
    dataset = made({"ant": 20})
    times = torch.zeros(20)
    for draw in range(400):
        times[draw_split(dataset, draw, 10, 10).train] += 1
    assert (times - 200).abs().max() < 50  # 5 standard deviations


def test_a_tiny_draw_is_pinned():
    dataset = made({"ant": 4, "bee": 5})
    split = draw_split(dataset, 0, 2, 2, 1)
    assert names_of(dataset, split, "train") == {"ant/02", "bee/04"}
    assert names_of(dataset, split, "validation") == {"ant/03", "bee/02"}
    assert names_of(dataset, split, "test") == {"ant/00", "ant/01", "bee/01", "bee/03"}
    assert split.digest == "67332f5e475c52a2b7ec5d3a7cdcb852551e9509ffafa6333c2c7bba0cf6feaf"


def test_the_draw_is_the_documented_one():
    dataset = made()
    split = draw_split(dataset, 5, 6, 2, 2)
    for name, count in COUNTS.items():
        order = sorted(
            (f"{name}/{number:02}" for number in range(count)), key=lambda n: hashlib.sha256(f"5/{n}".encode()).digest()
        )
        for part, expected in (("train", order[:4]), ("validation", order[4:6]), ("test", order[6:8])):
            assert {n for n in names_of(dataset, split, part) if n.startswith(name)} == set(expected)


@pytest.mark.parametrize(
    ("draw", "digest"),
    [
        (0, "6817b9377efbd74e86db0d3f72d39fa38daaf950eebc2d48418744b7dda4a4dd"),
        (1, "4a4e83af008c86e86c5d2b7d7aef80dcd878bc0d3c78587fbf68af455822a51d"),
    ],
)
def test_the_draws_of_caltech101_are_pinned(draw, digest):
    names = sorted(manifest.read("caltech101"))
    dataset = folders_dataset(names, torch.zeros(len(names), 1), "")
    split = draw_split(dataset, draw, 30, 30)
    assert len(split.train) == 102 * 30
    assert len(split.test) == sum(min(30, n - 30) for n in Counter(n.split("/")[0] for n in names).values())
    assert split.digest == digest


@pytest.mark.parametrize("test_counts", [None, {"ant": 3, "bee": 4, "cat": 5}], ids=["drawn", "official"])
def test_holding_out_validation_images_leaves_the_test_images(test_counts):
    dataset = made(test_counts=test_counts)
    without, with_validation = draw_split(dataset, 2, 6, 2), draw_split(dataset, 2, 6, 2, 2)
    assert torch.equal(without.test, with_validation.test)
    rejoined = torch.cat([with_validation.train, with_validation.validation]).sort().values
    assert torch.equal(without.train, rejoined)
    assert without.digest != with_validation.digest


def test_a_fraction_of_nothing_is_nothing():
    assert draw_split(made(), 5, 6, 2, 0.0).digest == draw_split(made(), 5, 6, 2, 0).digest


def test_an_official_split_is_respected():
    dataset = made(test_counts={"ant": 3, "bee": 4, "cat": 5})
    split = draw_split(dataset, 0, None, None)
    assert torch.equal(split.train, (~dataset.is_test).nonzero().flatten())
    assert torch.equal(split.test, dataset.is_test.nonzero().flatten())
    few = draw_split(dataset, 0, 4, 2, 1)
    assert not dataset.is_test[few.train].any()
    assert not dataset.is_test[few.validation].any()
    assert dataset.is_test[few.test].all()
    assert per_class(dataset, few.test) == dict.fromkeys(COUNTS, 2)


@pytest.mark.parametrize(
    ("counts", "test_counts", "train", "validation"),
    [
        ({"ant": 9, "bee": 5}, None, 6, 0),
        ({"ant": 9, "bee": 5}, None, 5, 0),
        ({"ant": 9, "bee": 0}, None, 1, 0),
        ({"bee": 5}, None, 3, 3),
        ({"ant": 9, "bee": 5}, {"ant": 3, "bee": 2}, 4, 0),
        ({"ant": 9, "bee": 5}, {"ant": 3, "bee": 2}, None, 3),
    ],
    ids=["too few", "none to test", "empty", "none to train", "official", "all validate"],
)
def test_a_class_with_too_few_images_is_named(counts, test_counts, train, validation, refused):
    with refused("'bee'", f"data.train_per_class={train}"):
        draw_split(made(counts, test_counts), 0, train, None, validation)


@pytest.mark.parametrize(("to_test", "words"), [(0, "train and none to test"), (5, "test and none to train")])
def test_a_class_that_an_official_split_has_in_one_part_only_is_named(to_test, words, refused):
    dataset = made({"ant": 9, "bee": 5}, {"ant": 3, "bee": to_test})
    with refused(f"class 'bee' has 5 images to {words} in the data set's own split; add some, or remove the class"):
        draw_split(dataset, 0, None, None)


def test_all_images_training_needs_an_official_split():
    with pytest.raises(DataError, match=r"data\.train_per_class=all leaves no test images"):
        draw_split(made(), 0, None, None)


def test_the_order_of_listing_does_not_matter():
    dataset = made()
    order = torch.randperm(len(dataset.names), generator=torch.Generator().manual_seed(0))
    names = [dataset.names[i] for i in order.tolist()]
    shuffled = Dataset(dataset.images, dataset.labels[order], dataset.class_names, names, None, "")
    first, second = draw_split(dataset, 4, 5, 3, 1), draw_split(shuffled, 4, 5, 3, 1)
    for part in PARTS:
        assert names_of(dataset, first, part) == names_of(shuffled, second, part)


def test_images_added_to_one_class_leave_the_others_alone():
    before, after = made(), made(COUNTS | {"bee": 15})
    first, second = draw_split(before, 0, 5, None, 1), draw_split(after, 0, 5, None, 1)
    for part in PARTS:
        others = [{n for n in names_of(*of, part) if "bee" not in n} for of in ((before, first), (after, second))]
        assert others[0] == others[1]


def test_the_digest_tells_which_part_an_image_is_in():
    dataset = made({"ant": 3})
    digests = {draw_split(dataset, 0, *numbers).digest for numbers in [(1, 1), (1, 2), (2, 1), (2, 1, 1)]}
    assert len(digests) == 4


@pytest.mark.parametrize("validation", [0, 5])
def test_no_image_of_the_real_caltech101_is_in_two_parts_of_a_draw(real_data, validation):
    """Neither by name nor by content: a copy under another name would be a leak too."""
    contents = manifest.read("caltech101")  # that the files are these, test_manifest.py tests
    names = sorted(str(p.relative_to(real_data / IMAGES)) for p in (real_data / IMAGES).rglob("*.jpg"))
    dataset = folders_dataset(names, torch.zeros(len(names), 1), "")
    for draw in range(5):
        split = draw_split(dataset, draw, 30, 30, validation)
        parts = {part: names_of(dataset, split, part) for part in PARTS}
        assert len(parts["train"]) == 102 * (30 - validation)
        assert len(parts["validation"]) == 102 * validation
        assert len(per_class(dataset, split.test)) == 102
        for one, other in itertools.combinations(PARTS, 2):
            assert not parts[one] & parts[other]
            assert not {contents[name] for name in parts[one]} & {contents[name] for name in parts[other]}
