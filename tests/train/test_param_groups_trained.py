"""What groups of parameters do to training: decay, rates and their peaks."""

import pytest
import torch
from torch import nn

from multistage.settings import optimizer, param_groups
from multistage.train import training
from multistage.train.restore import make_network

HEAD = ("+param_groups.head.params=[classifier]", "+param_groups.head.lr=0.5")
NORMALISATIONS = ("divisive", "batchnorm", "lcn_batchnorm", "groupnorm", "layernorm", "rmsnorm")


def made(run, net, steps=10):
    return optimizer.make(run.config, param_groups.split(run.config, net.named_parameters()), steps)


@pytest.mark.parametrize("normalise", NORMALISATIONS)
def test_no_decay_leaves_alone_what_has_one_dimension(plan, normalise):
    """Without a gradient decay alone moves parameters."""
    run = plan("optimizer=adamw", "optimizer.weight_decay=0.5", "param_groups=no_decay", f"model.normalise={normalise}")
    net = make_network(run.settings, 4)
    before = {name: parameter.detach().clone() for name, parameter in net.named_parameters()}
    adamw, _ = made(run, net)
    rates = {id(parameter): group["lr"] for group in adamw.param_groups for parameter in group["params"]}
    for parameter in net.parameters():
        parameter.grad = torch.zeros_like(parameter)
    adamw.step()
    assert len(rates) == len(before)
    for name, parameter in net.named_parameters():
        factor = 1 if parameter.ndim == 1 else 1 - rates[id(parameter)] * 0.5
        torch.testing.assert_close(parameter.detach(), factor * before[name], msg=name)
    assert {name.rpartition(".")[2] for name, value in before.items() if value.ndim == 1} >= {"gain", "bias"}


def test_each_group_rises_to_a_peak_of_its_own(plan):
    run = plan(*HEAD, "optimizer.lr=0.1")
    sgd, schedule = made(run, make_network(run.settings, 4), steps=20)
    assert [group.get("name") for group in sgd.param_groups] == [None, "head"]
    seen = []
    for _ in range(19):
        seen.append([group["lr"] for group in sgd.param_groups])
        sgd.step()
        schedule.step()
    assert [max(rates) for rates in zip(*seen, strict=True)] == pytest.approx([0.1, 0.5], rel=0.02)
    assert all(head == pytest.approx(5 * others) for others, head in seen)


def test_one_group_of_everything_is_the_only_one(plan):
    run = plan("+param_groups.all.params=[stages,classifier]", "+param_groups.all.lr=0.5")
    sgd, _ = made(run, make_network(run.settings, 4))
    assert [(group["name"], group["max_lr"]) for group in sgd.param_groups] == [("all", 0.5)]


def test_without_groups_torch_gets_what_it_always_got(plan):
    net = nn.Linear(3, 2)
    given = param_groups.split(plan().config, net.named_parameters())
    assert all(one is other for one, other in zip(given, net.parameters(), strict=True))


@pytest.mark.parametrize("refine", ["true", "false"])
def test_a_group_whose_rate_is_0_stays_as_it_was(plan, train, refine):
    frozen = "stages.1.filter_bank" if refine == "true" else "classifier.0"
    small = ("model=avgpool", "trainer.max_epochs=1", "hidden=5", f"refine={refine}", "callbacks=lr_monitor")
    trained, history = train(*small, f"+param_groups.still.params=[{frozen}]", "+param_groups.still.lr=0")
    fresh = dict(make_network(plan(*small).settings, 4).named_parameters())
    for name, parameter in trained.net.named_parameters():
        stays = name.startswith(frozen) or (refine == "false" and name.startswith("stages"))
        assert torch.equal(parameter, fresh[name]) == stays, name
    assert history.columns()["lr-SGD/still"] == [0]
    assert "lr-SGD/pg1" in history.columns()


def test_the_names_of_a_frozen_run_s_parameters_are_those_of_its_file(plan, train, monkeypatch):
    seen = []
    split = param_groups.split
    monkeypatch.setattr(
        training.param_groups, "split", lambda config, named: (seen.extend(named), split(config, seen))[1]
    )
    train("model=avgpool", "trainer.max_epochs=1", "refine=false")
    assert [name for name, _ in seen] == ["classifier.weight", "classifier.bias"]


def test_parameters_with_rate_0_get_no_gradient_while_they_are_trained_and_can_have_one_afterwards(plan):
    run = plan("+param_groups.still.params=[stages.0]", "+param_groups.still.lr=0")
    net = make_network(run.settings, 4)
    with training.held(run.config, net):
        needed = {name: parameter.requires_grad for name, parameter in net.named_parameters()}
    assert needed == {name: not name.startswith("stages.0.") for name in needed}
    assert all(parameter.requires_grad for parameter in net.parameters())


def test_groups_know_further_filter_sets(plan):
    run = plan("+param_groups.others.params=[further]", "+param_groups.others.lr=0.5", "filters.banks=2")
    net = make_network(run.settings, 4)
    with training.held(run.config, net):
        assert all(parameter.requires_grad for parameter in net.parameters())
    sgd, _ = made(run, net)
    (others,) = (group["params"] for group in sgd.param_groups if group.get("name") == "others")
    assert len(others) == len(list(net.further.parameters()))
