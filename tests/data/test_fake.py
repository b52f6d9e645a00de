import pytest
import torch


@pytest.mark.parametrize(("classes", "maps", "side"), [(2, 1, 28), (4, 1, 28), (3, 3, 32), (5, 2, 11)])
def test_shape_and_balance(load, classes, maps, side):
    dataset = load("fake", classes=classes, maps=maps, image_size=side)
    assert dataset.images.shape == (40 * classes, maps, side, side)
    assert dataset.images.dtype == torch.uint8
    assert dataset.labels.bincount().tolist() == [40] * classes
    assert dataset.class_names == tuple(f"class{n}" for n in range(classes))


def test_the_images_are_the_same_for_everyone_and_the_hash_follows_them(load):
    first = load("fake", classes=4)
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    second = load("fake", draw=7, classes=4)
    assert torch.equal(first.images, second.images)
    assert first.content_hash == second.content_hash
    assert torch.equal(torch.random.get_rng_state(), state)
    assert len(first.images.flatten(1).unique(dim=0)) == 160
    assert load("fake", classes=3).content_hash != first.content_hash


def test_classes_can_be_told_apart_but_not_at_a_glance(settings):
    chosen = settings("fake", classes=4, train_per_class=20, test_per_class=None)
    dataset = chosen.data.load()
    split = chosen.draw.of(dataset)
    train, test = (dataset.pixels(part).flatten(1) for part in (split.train, split.test))
    nearest = torch.cdist(test, train).argmin(1)
    accuracy = (dataset.labels[split.train][nearest] == dataset.labels[split.test]).float().mean()
    assert accuracy > 0.5
