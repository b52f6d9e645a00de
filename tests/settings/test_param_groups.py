"""Groups of parameters with arguments of their own: who is in them, what is refused, what says nothing."""

import pytest

from multistage.registry.errors import ConfigError, UnreadError
from multistage.settings import param_groups
from multistage.settings.composition import expand, plan, plan_all

HEAD = "+param_groups.head.params=[classifier]"


def planned(typed):
    return plan(["data=fake", *typed.split()])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            HEAD.replace("[classifier]", "classifier"),
            r"^param_groups.head.params=classifier is not allowed; expected a li",
        ),
        (HEAD.replace("classifier", ""), r"^param_groups.head.params=\[\] is not allowed; expected a list of parts"),
        (HEAD.replace("classifier", "3"), r"^param_groups.head.params=\[3\] is not allowed; expected a list of parts"),
        ("+param_groups.head.lr=1", r"^param_groups.head.params has no value; .* '\+param_groups.head.params=\[class"),
        ("+param_groups.head=5", r"^param_groups.head=5 is not allowed; expected param_groups.NAME.params=\[...\]"),
        ("+param_groups.a.b.c=5", r"^param_groups.a.b.c=5 is not allowed; expected param_groups.NAME.params=\[...\]"),
        (
            HEAD.replace("classifier", "classifier,gian"),
            r"^param_groups.head.params=\[classifier,gian\]: gian is part of no parameter's name; expected some of "
            "stages, stages.0, filter_bank, kernels, gain, stages.1, classifier, weight, bias, 1d; nearest: gain$",
        ),
        (
            f"{HEAD} refine=false +param_groups.a.params=[gain]",
            "^param_groups.a.params=.*some of classifier, weight, bi",
        ),
        (HEAD.replace("classifier", "stages.1") + " stages=1", "stages.1 is part of no parameter's name"),
        (f"{HEAD} +param_groups.head.lr=-1", "^param_groups.head.lr=-1 is not allowed: torch refuses it"),
        (f"{HEAD} +param_groups.head.lr=abc", "^param_groups.head.lr=abc is not allowed; expected a number"),
        (
            f"{HEAD} +param_groups.tail.params=[1d]",
            "head.params and param_groups.tail.params both have classifier.bias;",
        ),
        ("param_groups=no_decai", "param_groups=no_decai does not exist; .*nearest: no_decay"),
        (
            "param_groups=null",
            "param_groups=null removes a required setting; expected param_groups=NAME, one of no_",
        ),
    ],
)
def test_groups_that_cannot_be_are_refused_in_one_line(typed, message):
    with pytest.raises(ConfigError, match=message) as refusal:
        planned(typed)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (
            f"{HEAD} +param_groups.head.foo=1",
            "foo=1 is not an argument of torch.optim.SGD; remove it with '~param_groups",
        ),
        (f"{HEAD} +param_groups.head.wieght_decay=1", "is not an argument of torch.optim.SGD; .*nearest: weight_decay"),
        (f"{HEAD} +param_groups.head.momentum=0.5", "momentum=0.5 has no effect, since OneCycleLR moves it; add"),
        (f"{HEAD} +param_groups.head.lr=1 +schedule.max_lr=2", "head.lr=1 has no effect beside schedule.max_lr; leave"),
        ("refine=false readout=ridge param_groups=no_decay", "no_decay.params=.* has no effect with .*readout=ridge"),
    ],
)
def test_an_argument_without_effect_is_refused(typed, message):
    with pytest.raises(UnreadError, match=message):
        planned(typed)


SAME = [
    ("param_groups=none", ""),
    ("param_groups=no_decay", ""),  # where there is no decay
    (HEAD, ""),
    (f"{HEAD} +param_groups.head.lr=0.05", ""),
    (f"{HEAD} +param_groups.head.nesterov=false +param_groups.head.lr=1", f"{HEAD} +param_groups.head.lr=1"),
    ("optimizer=adamw param_groups=no_decay param_groups.no_decay.weight_decay=0.01", "optimizer=adamw"),
    (
        "+param_groups.a.params=[bias,gain,bias] +param_groups.a.lr=1.0",
        "+param_groups.a.params=[gain,bias] +param_groups.a.lr=1",
    ),
    (
        "optimizer=adamw param_groups=no_decay",
        "optimizer=adamw +param_groups.no_decay={weight_decay:0,params:['1d']}",
    ),
]


@pytest.mark.parametrize(("typed", "same"), SAME)
def test_a_group_that_says_nothing_makes_no_other_run(typed, same):
    one, other = planned(typed), planned(same)
    assert one.settings.bearing == other.settings.bearing
    assert one.folder == other.folder
    assert one.overrides == other.overrides


@pytest.mark.parametrize("typed", ["optimizer=adamw param_groups=no_decay", f"{HEAD} +param_groups.head.lr=1"])
def test_a_group_that_says_something_makes_another_run(typed):
    run, without = planned(typed), planned(typed.split()[0].replace(HEAD, ""))
    assert run.folder != without.folder
    assert {key for key in run.settings.bearing if key not in without.settings.bearing} == {
        key for key in run.config if key.startswith("param_groups.")
    }
    again = plan(run.overrides)
    assert (again.folder, again.settings.bearing, again.overrides) == (run.folder, run.settings.bearing, run.overrides)


def test_a_sweep_over_groups_is_a_run_for_each():
    planned, _, _ = plan_all(expand(["data=fake", "optimizer.weight_decay=0.1", "param_groups=none,no_decay"]))
    assert len({run.folder for run in planned}) == 2


def test_parts_are_whole_parts_of_names():
    """stages.1 is not in stages.10."""
    names = {"stages.1.gain": 1, "stages.10.gain": 1, "stages.10.kernels": 4}
    assert param_groups.owners({"a": {"params": ["stages.1"]}}, names) == {"stages.1.gain": "a"}
    assert param_groups.owners({"a": {"params": ["10.kernels", "1d"]}}, names) == dict.fromkeys(names, "a")
