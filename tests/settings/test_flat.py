"""Values that are set in what files say, and how often a sweep reads what its runs share."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig

from multistage.registry.errors import ConfigError
from multistage.settings import composition, flat

FILES = {
    "data": "digits",
    "data.maps": 1,
    "filters": "psd",
    "optimizer.lr": 0.1,
    "optimizer.betas": [0.9, 0.99],
    "schedule": None,
    "name": "a",
    "draw": 3,
}
GONE = "gone"


@pytest.mark.parametrize(
    ("typed", "changed"),
    [
        (["draw=4", "name=b", "draw=5"], {"draw": 5, "name": "b"}),
        (["optimizer={lr: 0.2, momentum: 0.9}"], {"optimizer.lr": 0.2, "optimizer.momentum": 0.9}),
        (["optimizer={}", "name={}"], {"name": GONE}),
        (["+optimizer.lr.first=1"], {"optimizer.lr": GONE, "optimizer.lr.first": 1}),
        (["+schedule.gamma=0.5"], {"schedule": GONE, "schedule.gamma": 0.5}),
        (["optimizer=1"], {"optimizer.lr": GONE, "optimizer.betas": GONE, "optimizer": 1}),
        (["filters.banks=2", "filters=random"], {"filters.banks": 2, "filters": "random"}),
        (["~optimizer.betas"], {"optimizer.betas": GONE}),
        (["~optimizer"], {"optimizer.lr": GONE, "optimizer.betas": GONE}),
        (["name=${draw}"], {"name": 3}),
        (["filters.banks=${draw}"], {"filters.banks": 3}),
        (["name=x${draw}-${data.maps}"], {"name": "x3-1"}),
        (["name=${oc.env:MULTISTAGE_TEST}${draw}"], {"name": "there3"}),
        (["name=${oc.env:MULTISTAGE_TEST}"], {"name": "there"}),
        (["optimizer.betas=[${draw},${optimizer.lr}]"], {"optimizer.betas": [3, 0.1]}),
        (["optimizer.lr=${..draw}"], {"optimizer.lr": 3}),
        (["name=${draw}", "draw=${data.maps}"], {"name": 1, "draw": 1}),
        (["schedule=${optimizer}"], {"schedule": GONE, "schedule.lr": 0.1, "schedule.betas": [0.9, 0.99]}),
        ([r"name=\${draw}"], {"name": "${draw}"}),
    ],
    ids=str,
)
def test_values_are_set_in_what_files_say(monkeypatch, typed, changed):
    monkeypatch.setenv("MULTISTAGE_TEST", "there")
    found = flat.with_values(FILES, composition._parse(typed))
    assert found == {key: value for key, value in (FILES | changed).items() if value != GONE}


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("~optimizer.momentum", "~optimizer.momentum cannot be removed: there is no optimizer.momentum"),
        ("name=${nothing}", r"name=\$\{nothing\} cannot be resolved .*'nothing'"),
        ("name=${name}", "cannot be resolved"),
        ("name=${oc.env:NOT_THERE}", "cannot be resolved .*NOT_THERE"),
    ],
)
def test_what_is_not_there_is_neither_taken_away_nor_named(typed, message):
    with pytest.raises(ConfigError, match=message):
        flat.with_values(FILES, composition._parse([typed]))


def test_a_sweep_reads_each_word_once_and_copies_no_tree(monkeypatch):
    words = ["data=fake", "draw=range(9)", "seed=${draw}", "model=avgpool,maxpool", "optimizer.lr=0.1,0.2"]
    jobs = composition.expand(words)
    composition.plan_all(jobs[:4])  # each choice of files is composed
    composition._parsed.cache_clear()
    read, copied = [], []
    parse, copy = OverridesParser.parse_rule, DictConfig.__deepcopy__
    monkeypatch.setattr(OverridesParser, "parse_rule", lambda *given: read.append(given) or parse(*given))
    monkeypatch.setattr(DictConfig, "__deepcopy__", lambda *given: copied.append(given) or copy(*given))
    planned, *_ = composition.plan_all(jobs)
    assert len({run.folder for run in planned}) == 36
    assert len(read) == 1 + 9 + 1 + 2 + 2
    assert copied == []
