"""Generated settings, well and badly formed: each is accepted, or refused in one line that says what to type."""

import json
import subprocess
import sys
from functools import cache
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from multistage.cli import train
from multistage.data import data_sets
from multistage.registry.errors import ConfigError
from multistage.registry.words import as_typed
from multistage.settings.composition import CONF, names, plan
from multistage.train.restore import make_network

VALUES = {
    "wrong type": ["abc", "true", "1.5", "[1,2]", "{a: 1}", "null", "'1'", "a b", "0x10", "007", "str(5)", "[a,[b]]"],
    "well formed": ["1", "2", "0", "3", "0.5", "16", "int(3)", "1_0", "none", "average", "1e-3"],
    "negative": ["-1", "-0.5", "-99999", "-1e9"],
    "not finite": ["nan", "inf", "-inf", "NaN"],
    "huge": ["1e30", str(10**30), str(2**63), "1e-400", "9" * 5000],
    "empty": ["", "''", '""', "[]", "{}"],
    "interpolation": ["${nothing}", "${oc.env:NOPE}", "${hydra:runtime.cwd}", "${foo:1}", "${KEY}", "${..draw}"],
    "several": ["1,2", "range(3)", "glob(*)", "choice(a,b)", "1,"],
    "syntax": ["${a", "a=b", "{", "]", "'", "(1)", "a\nb", "'a\nb'", "\x1b[31m", "\0", "é", "\ud800", "[" * 3000],
    "path": ["../x", "/dev/null", "a/../b", "..", "x" * 300, "~", "C:\\x"],
}
SAYS_WHAT_TO_TYPE = (
    *("expected", "nearest: ", "leave it out", "; add ", "remove it with", "only keys of", "conf/train.yaml"),
)


class Case(NamedTuple):
    overrides: list[str]  # of which the last ones are damaged
    keys: list[str]  # one of them has to be named
    fits: bool | None = None  # what has to come out, where that is known


@cache
def configuration(data):
    return plan([f"data={data}"]).config


DATA = st.sampled_from(list(data_sets))


@st.composite
def keys(draw):
    """A data set, its configuration and one of its keys."""
    data = draw(DATA)
    config = configuration(data)
    return f"data={data}", config, draw(st.sampled_from(sorted(config.keys() - {"data"})))


@st.composite
def misspelt(draw, word):
    """A word with one letter lost, doubled, swapped or wrong."""
    at = draw(st.integers(0, len(word) - 2))
    ends = (word[at + 1 :], word[at:], word[at + 1] + word[at] + word[at + 2 :], "q" + word[at + 1 :])
    found = word[:at] + draw(st.sampled_from(ends))
    return found if found != word else f"{word}x"


@st.composite
def values(draw, kind):
    data, _, key = draw(keys())
    return Case([data, f"{key}={draw(st.sampled_from(VALUES[kind])).replace('KEY', key)}"], [key])


@st.composite
def changes(draw):
    """Another value of the same type, or the same."""
    data, config, key = draw(keys())
    value = config[key]
    if type(value) in (bool, int, float):
        value = {bool: lambda: not value, int: lambda: value + 1, float: lambda: value / 2}[type(value)]()
    return Case([data, f"{key}={as_typed(value)}"], [key])


@st.composite
def typos(draw):
    data, _, key = draw(keys())
    typo = draw(misspelt(key))
    return Case([data, f"{typo}={draw(st.sampled_from(['1', 'true', '']))}"], [typo], fits=False)


@st.composite
def additions(draw):
    data, _, key = draw(keys())
    key = draw(st.sampled_from([key, draw(misspelt(key)), "optimizer.nesterov", "schedule.pct_start", "new"]))
    return Case([data, f"{draw(st.sampled_from(['+', '++', '~']))}{key}={draw(st.sampled_from('1a'))}"], [key])


@st.composite
def files(draw):
    group = draw(st.sampled_from(["model", "data", "optimizer", "param_groups", "schedule", "callbacks"]))
    return Case([f"{group}={draw(misspelt(draw(st.sampled_from(names(group)))))}"], [group], fits=False)


@st.composite
def sections(draw):
    data, _, key = draw(keys())
    section = key.rpartition(".")[0].replace("model", "data") or "trainer"
    return Case([data, f"{section}={draw(st.sampled_from(['1', 'abc', '[]', 'null', '[1]']))}"], [section])


@st.composite
def sizes(draw):
    """A random architecture whose single sizes are all allowed, and whether they fit together."""
    data, model = draw(DATA), draw(st.sampled_from(["avgpool", "maxpool"]))
    config, stages, padding = configuration(data), draw(st.integers(1, 2)), draw(st.sampled_from([0, 0, 2]))
    side, maps, fits = config["data.image_size"], config["data.maps"], True
    chosen = {"filter_bank.padding": padding}
    for stage in range(1, stages + 1):
        kernel, step = draw(st.sampled_from([1, 3, 5, 9, 14, 28])), draw(st.integers(1, 9))
        window = draw(st.integers(1, 12)) if model == "avgpool" else step
        seen = draw(st.sampled_from([1, 1, 2, 8, None, None]))
        side += 2 * padding - kernel + 1
        fits &= (seen or 1) <= maps and side >= 1 and window <= side
        side, maps = (side - window) // step + 1, draw(st.integers(1, 9))
        of_stage = {"kernel": kernel, "step": step, "maps": maps, "fan_in": seen}
        of_stage |= {"window": window} if model == "avgpool" else {}
        chosen |= {f"geometry.stage{stage}.{name}": value for name, value in of_stage.items()}
    typed = [f"{key}={as_typed(value)}" for key, value in chosen.items()]
    named = [key for key in chosen if key.startswith("geometry")]
    return Case([f"data={data}", f"model={model}", f"stages={stages}", *typed], named, fits)


CASES = {
    **{kind: values(kind) for kind in VALUES},
    **{"changed": changes(), "typo": typos(), "added": additions(), "file": files(), "section": sections()},
    "sizes": sizes(),
}


def complaint(case, message):
    """What is wrong with a refusal, if anything."""
    if not message.isprintable():
        return "more than one line"
    if not any(key in message for key in case.keys):
        return "no key"
    damaged = case.overrides[-1]
    shown = (*(f"{key}=" for key in case.keys), f"{case.keys[0]}.", f"{case.keys[0]} ", damaged, repr(damaged))
    if f"unknown key {case.keys[0]!r}" not in message and not any(text in message for text in shown):
        return "no value"
    if not any(words in message for words in SAYS_WHAT_TO_TYPE):
        return "nothing about what is allowed"
    return None


def check(case):
    """Plan a case: it is refused in one good line, or can be recorded, repeated and, unless that takes long, built."""
    try:
        run = plan(case.overrides)
    except ConfigError as refusal:
        problem = "it fits" if case.fits else complaint(case, str(refusal))
        if problem:
            pytest.fail(f"{problem}: {refusal}")
        return
    assert case.fits is not False, "accepted"
    json.dumps(run.config, allow_nan=False)
    assert "=" not in run.folder.name
    assert plan(run.overrides).settings.bearing == run.settings.bearing
    numbers = [value for key, value in run.config.items() if key.startswith("geometry.") and type(value) is int]
    if max(*numbers, run.config["hidden"]) <= 300 and run.config["data.image_size"] <= 200:
        make_network(run.settings, classes=4)


@pytest.mark.parametrize("kind", CASES)
def test_generated_settings(kind):
    settings(max_examples=20 if kind == "sizes" else 8)(given(CASES[kind])(check))()


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_many_generated_settings(kind):
    settings(max_examples=200)(given(CASES[kind])(check))()


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("seed=x is not allowed;\nexpected a number", "more than one line"),
        ("a setting is not allowed; expected a number", "no key"),
        ("seed, not allowed; expected a number", "no value"),
        ("seed=x is not allowed", "nothing about what is allowed"),
        ("seed=x is not allowed; expected a number", None),
    ],
)
def test_the_check_of_a_message_notices(message, said):
    assert complaint(Case(["seed=x"], ["seed"]), message) == said


def test_the_check_notices_what_is_wrongly_accepted_or_refused():
    for overrides, fits in ((["seed=1"], False), (["seed=x"], True)):
        with pytest.raises((AssertionError, pytest.fail.Exception), match=r"accepted|it fits"):
            check(Case(overrides, ["seed"], fits))


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=st.one_of(*CASES.values()))
def test_generated_command_lines(case, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("multistage.cli.train.one", lambda typed, progress: plan(typed) and "accepted")
    code = train.main(case.overrides)
    printed, errors = capsys.readouterr()
    assert (code, printed, errors) == (0, "accepted\n", "") or (code, printed) == (2, ""), errors
    assert code == 0 or complaint(case, errors[:-1].removeprefix("error: ")) is None, errors
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("damaged", ["seed=0,x", "model=avgpool,maxpol", "sead=0,1", "optimizer.lr=0.1,-1", "seed=0,"])
def test_one_bad_run_refuses_a_whole_multirun(tmp_path, monkeypatch, capsys, damaged):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert train.main(["-m", "data=fake", damaged]) == 2
    printed, errors = capsys.readouterr()
    assert printed == ""
    assert errors.count("\n") == 1
    assert damaged.partition("=")[0] in errors
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("damaged", ["geometry.stage1.kernel=99", "seed=nan"])
def test_a_real_command_ends_with_one_line(tmp_path, damaged):
    command = [sys.executable, CONF.parent / "train.py", damaged]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"error: {damaged}")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*"))
