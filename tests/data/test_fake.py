import pytest
import torch

from multistage.settings.tree import parse


@pytest.mark.parametrize(("classes", "maps", "side"), [(2, 1, 28), (4, 1, 28), (3, 3, 32), (5, 2, 11)])
def test_shape_and_balance(config, classes, maps, side):
    dataset = parse(config("fake", classes=classes, maps=maps, image_size=side)).data.load()
    assert dataset.images.shape == (40 * classes, maps, side, side)
    assert dataset.images.dtype == torch.uint8
    assert dataset.labels.bincount().tolist() == [40] * classes
    assert dataset.class_names == tuple(f"class{n}" for n in range(classes))


def test_the_images_are_the_same_for_everyone(config):
    flat = config("fake", classes=4, image_size=28)
    first = parse(flat).data.load()
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    second = parse(flat | {"draw": 7}).data.load()
    assert torch.equal(first.images, second.images)
    assert first.content_hash == second.content_hash
    assert torch.equal(torch.random.get_rng_state(), state)


def test_all_images_differ_and_the_hash_follows_them(config):
    four = parse(config("fake", classes=4, image_size=28)).data.load()
    assert len(four.images.flatten(1).unique(dim=0)) == 160
    assert parse(config("fake", classes=3, image_size=28)).data.load().content_hash != four.content_hash


def test_classes_can_be_told_apart_but_not_at_a_glance(config):
    flat = config("fake", classes=4, image_size=28, train_per_class=20, test_per_class=None)
    dataset = parse(flat).data.load()
    split = parse(flat).draw.of(dataset)
    train, test = (dataset.pixels(part).flatten(1) for part in (split.train, split.test))
    nearest = torch.cdist(test, train).argmin(1)
    accuracy = (dataset.labels[split.train][nearest] == dataset.labels[split.test]).float().mean()
    assert accuracy > 0.5
