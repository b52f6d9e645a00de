import numpy as np
import pytest
import torch
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from multistage.readout import Task, pyramid_svm
from multistage.readout.pyramid_svm import (
    fit_machines,
    fit_pyramid_svm,
    learn_vocabulary,
    pyramid,
    pyramid_match,
    quantise,
)
from multistage.registry.errors import ConfigError, MultistageError
from multistage.train import features
from multistage.train.restore import make_network

CPU = torch.device("cpu")
SVM = ("refine=false", "readout=pyramid_svm", "pyramid_svm.words=12")


def some_words(images, height, width, count, seed=0):
    return torch.randint(count, (images, height, width), generator=torch.Generator().manual_seed(seed))


def match_by_definition(one, other, count, levels):
    """Two maps of words, by the formula of Lazebnik et al., one cell after the other."""
    result = 0.0
    for level in range(levels):
        weight = 2.0 ** -(levels - 1) if level == 0 else 2.0 ** -(levels - level)
        side = 2**level
        for row in range(side):
            for column in range(side):
                cells = [
                    [
                        int(words[y, x])
                        for y in range(words.shape[0])
                        for x in range(words.shape[1])
                        if y * side // words.shape[0] == row and x * side // words.shape[1] == column
                    ]
                    for words in (one, other)
                ]
                result += weight * sum(min(cell.count(word) for cell in cells) for word in range(count))
    return result / one.numel()


@pytest.mark.parametrize("levels", [1, 2, 3])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (6, 6), (9, 7), (4, 13)])
def test_the_match_is_that_of_the_definition(height, width, levels):
    words = some_words(5, height, width, 4)
    pyramids = pyramid(words, 4, levels)
    expected = [[match_by_definition(one, other, 4, levels) for other in words[2:]] for one in words]
    torch.testing.assert_close(pyramid_match(pyramids, pyramids[2:]), torch.tensor(expected))


def test_a_pyramid_made_by_hand():
    words = torch.tensor([[[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 2, 2], [2, 2, 2, 0]]])
    whole, quarters, sixteenths = pyramid(words, 3, 3).split([3, 12, 48], 1)
    assert whole.tolist() == [[5, 4, 7]]
    assert quarters.view(2, 2, 3).tolist() == [[[4, 0, 0], [0, 4, 0]], [[0, 0, 4], [1, 0, 3]]]
    assert torch.equal(sixteenths.view(4, 4, 3), 2 * torch.nn.functional.one_hot(words[0], 3).float())


def test_an_image_matches_itself_wholly_and_one_without_its_words_not_at_all():
    words = some_words(4, 9, 9, 5)
    pyramids = pyramid(torch.cat([words, words + 5]), 10, 3)
    matches = pyramid_match(pyramids, pyramids)
    assert torch.equal(matches, matches.T)
    assert torch.equal(matches.diagonal(), torch.ones(8))
    assert matches[:4, 4:].abs().max() == 0
    assert matches[:4, :4].min() > 0
    assert (torch.linalg.eigvalsh(matches.double()) > -1e-6).all()  # it is a kernel


def test_moving_words_about_costs_what_the_finer_levels_weigh():
    words = some_words(1, 8, 8, 6)
    moved = words.flatten()[torch.randperm(64, generator=torch.Generator().manual_seed(1))].view(1, 8, 8)
    one, other = pyramid(words, 6, 3), pyramid(moved, 6, 3)
    assert 0.25 <= float(pyramid_match(one, other)) < 1
    assert float(pyramid_match(pyramid(words, 6, 1), pyramid(moved, 6, 1))) == 1


def test_positions_get_the_nearest_word():
    shape = (3, 4, 5)
    x = torch.randn(70, 60, generator=torch.Generator().manual_seed(0))
    vocabulary = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))
    words = quantise(x, shape, vocabulary)
    assert words.shape == (70, 4, 5)
    at = x.view(70, 3, 4, 5).permute(0, 2, 3, 1)
    distances = (at[..., None, :] - vocabulary).square().sum(-1)
    assert torch.equal(words, distances.argmin(-1))


def test_the_vocabulary_finds_clusters_of_descriptors_and_depends_on_the_seed_alone(monkeypatch):
    random = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [9.0, 0.0], [0.0, 9.0]])
    at = centres[torch.randint(3, (20, 6, 6), generator=random)]  # [images, rows, columns, maps]
    x = (at + 0.1 * torch.randn(at.shape, generator=random)).permute(0, 3, 1, 2).flatten(1)
    found = learn_vocabulary(x, (2, 6, 6), 3)
    assert torch.cdist(centres, found).amin(1).max() < 0.1
    torch.manual_seed(5)
    assert torch.equal(found, learn_vocabulary(x, (2, 6, 6), 3))
    monkeypatch.setattr(pyramid_svm, "SAMPLE", 100)
    assert not torch.equal(found, learn_vocabulary(x, (2, 6, 6), 3))
    with pytest.raises(MultistageError, match=r"pyramid_svm\.words=101 exceeds the 100 descriptors"):
        learn_vocabulary(x, (2, 6, 6), 101)


@pytest.mark.parametrize("cost", [0.1, 10.0])
def test_scores_are_those_of_scikit_learns_one_versus_rest(cost):
    labels = torch.arange(60) % 4
    words = (some_words(60, 6, 6, 5) + labels[:, None, None]) % 6
    pyramids = pyramid(words, 6, 2)
    matches = pyramid_match(pyramids[:40], pyramids[:40])
    reports = []
    coefficients, intercepts = fit_machines(matches, labels[:40], 4, cost, lambda *report: reports.append(report))
    test = pyramid_match(pyramids[40:], pyramids[:40])
    oracle = OneVsRestClassifier(SVC(C=cost, kernel="precomputed")).fit(matches.double(), labels[:40])
    expected = oracle.decision_function(test.double().numpy())
    np.testing.assert_allclose((test @ coefficients.T + intercepts).numpy(), expected, atol=1e-5)
    ((iterations, loss),) = reports
    signs = np.where(labels[:40, None] == torch.arange(4), 1, -1)
    margins = signs * oracle.decision_function(matches.double().numpy())
    assert loss == pytest.approx(np.maximum(1 - margins, 0).mean())
    assert iterations == sum(int(machine.n_iter_.sum()) for machine in oracle.estimators_)


@pytest.mark.parametrize(("words", "kind"), [(256, torch.uint8), (257, torch.int16)])
def test_words_of_training_images_are_kept_in_as_few_bytes_as_they_need(words, kind):
    x = torch.randn(30, 2 * 16, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 3
    classifier = fit_pyramid_svm(Task(x, labels, 3, (2, 4, 4)), words)
    assert classifier.words.dtype == kind
    assert torch.equal(classifier.words.long(), quantise(x, (2, 4, 4), classifier.vocabulary))
    assert (classifier(x).argmax(1) == labels).all()
    assert "pyramids" not in classifier.state_dict()


def test_two_stages_are_read_before_the_last_pooling_and_one_after_it(plan):
    one, two = (make_network(plan(*SVM, f"stages={stages}").settings, 4) for stages in (1, 2))
    plain = make_network(plan("stages=2").settings, 4)
    x = torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    assert one.num_features == 32 * 12 * 12
    assert two.num_features == 64 * 8 * 8
    assert [name for name, _ in two.stages[1].named_children()] == ["filter_bank", "rectify", "contrast_norm"]
    for name, value in plain.stages.state_dict().items():
        assert torch.equal(value, two.stages.state_dict()[name])
    pooled = plain.stages[1].pool(two.stages(x))
    torch.testing.assert_close(pooled, plain.stages(x))


def test_the_cache_tells_maps_before_pooling_from_those_after_it(plan):
    def found(*settings):
        run = plan("refine=false", *settings)
        dataset = run.settings.data.load()
        net = make_network(run.settings, 4)
        return features.frozen(run.settings, net, dataset, run.settings.draw.of(dataset), CPU)

    for stages, shared in ((1, True), (2, False)):
        pooled, read = found("readout=lbfgs", f"stages={stages}"), found("readout=pyramid_svm", f"stages={stages}")
        assert (pooled.digest == read.digest) == shared
    assert found("readout=pyramid_svm", "pyramid_svm.C=3").digest == read.digest


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (["readout=pyramid_svm"], ["readout=pyramid_svm", "refine=false"]),
        ([*SVM, "hidden=10"], ["hidden=10", "softmax", "pyramid_svm"]),
        ([*SVM, "pyramid_svm.C=0"], ["pyramid_svm.C=0", "above 0"]),
        ([*SVM, "pyramid_svm.levels=5"], ["pyramid_svm.levels=5", "8x8", "at most 4"]),
        ([*SVM, "stages=1", "pyramid_svm.levels=5"], ["pyramid_svm.levels=5", "12x12", "at most 4"]),
        ([*SVM, "geometry.stage2.window=3"], ["geometry.stage2.window=3 has no effect", "pyramid_svm"]),
        ([*SVM, "geometry.stage2.step=3"], ["geometry.stage2.step=3 has no effect"]),
        ([*SVM, "lbfgs.penalty=1"], ["lbfgs.penalty=1 has no effect"]),
        (["pyramid_svm.C=1"], ["pyramid_svm.C=1 has no effect"]),
    ],
)
def test_what_does_not_go_together_is_refused(plan, overrides, named):
    with pytest.raises(ConfigError) as refusal:
        plan(*overrides)
    assert all(text in str(refusal.value) for text in named), refusal.value


def test_more_levels_where_there_is_room(plan):
    run = plan(*SVM, "pyramid_svm.levels=4")
    assert str(run.folder).endswith("pyramid_svm/draw-0-seed-0-words-12-levels-4")
