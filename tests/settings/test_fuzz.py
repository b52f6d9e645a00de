"""Generated settings, well and badly formed: each is accepted, or refused in one line that says what to type instead.

Keys come from the composed configurations, damage from a fixed seed.
"""

import json
import random
import subprocess
import sys
from collections import Counter
from typing import NamedTuple

import pytest

from multistage.cli import train
from multistage.data import data_sets
from multistage.registry.errors import ConfigError, MultistageError
from multistage.registry.words import as_typed
from multistage.settings.composition import CONF, plan
from multistage.settings.config import bears_on_result
from multistage.settings.tree import parse
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
KINDS = (*VALUES, "typo", "added", "file", "section", "changed", *["sizes"] * 4)
SAYS_WHAT_TO_TYPE = (
    "expected",
    "nearest: ",
    "leave it out",
    "; add ",
    "remove it with",
    "only keys of",
    "conf/train.yaml",
)


class Case(NamedTuple):
    kind: str
    overrides: list[str]  # of which the last ones are damaged
    keys: list[str]  # one of them has to be named
    fits: bool | None = None  # what has to come out, where that is known


def generate(count, seed=0):
    """Cases, the same for everyone."""
    chance = random.Random(seed)
    configs = {name: plan([f"data={name}"]).config for name in data_sets}
    files = {group: sorted(p.stem for p in (CONF / group).glob("*.yaml")) for group in ("model", "data")}
    for number in range(count):
        kind, data = KINDS[number % len(KINDS)], chance.choice(list(data_sets))
        config = configs[data]
        key = chance.choice(sorted(config.keys() - {"data"}))
        if kind in VALUES:
            value = chance.choice(VALUES[kind]).replace("KEY", key)
            yield Case(kind, [f"data={data}", f"{key}={value}"], [key])
        elif kind == "changed":
            yield Case(kind, [f"data={data}", f"{key}={as_typed(changed(config[key]))}"], [key])
        elif kind == "typo":
            typo = misspell(key, chance)
            yield Case(kind, [f"data={data}", f"{typo}={chance.choice(['1', 'true', ''])}"], [typo], fits=False)
        elif kind == "added":
            key = chance.choice([key, misspell(key, chance), "optimizer.nesterov", "schedule.pct_start", "new"])
            yield Case(kind, [f"data={data}", f"{chance.choice(['+', '++', '~'])}{key}={chance.choice('1a')}"], [key])
        elif kind == "file":
            group = chance.choice(sorted(files))
            yield Case(kind, [f"{group}={misspell(chance.choice(files[group]), chance)}"], [group], fits=False)
        elif kind == "section":
            section = chance.choice(sorted({name.rpartition(".")[0] for name in config} - {"", "model", "geometry"}))
            yield Case(
                kind, [f"data={data}", f"{section}={chance.choice(['1', 'abc', '[]', 'null', '[1]'])}"], [section]
            )
        else:
            yield sizes(config, chance)


def changed(value):
    """Another value of the same type, or the same."""
    if type(value) is bool:
        return not value
    return value + 1 if type(value) is int else value / 2 if type(value) is float else value


def misspell(word, chance):
    """A word with one letter lost, doubled, swapped or wrong."""
    at = chance.randrange(len(word) - 1)
    change = chance.choice(["lost", "doubled", "swapped", "wrong", "upper"])
    misspelt = {
        "lost": word[:at] + word[at + 1 :],
        "doubled": word[:at] + word[at] + word[at:],
        "swapped": word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        "wrong": word[:at] + "q" + word[at + 1 :],
        "upper": word[:at] + word[at].upper() + word[at + 1 :],
    }[change]
    return misspelt if misspelt != word else f"{word}x"


def sizes(config, chance):
    """A random architecture whose single sizes are all allowed, and whether they fit together."""
    stages, pool = chance.choice([1, 2]), chance.choice(["average", "max"])
    model = {"average": "avgpool", "max": "maxpool"}[pool]
    chosen = {"filter_bank.padding": chance.choice([0, 0, 2])}
    side, maps, fits = config["data.image_size"] + 2 * chosen["filter_bank.padding"], config["data.maps"], True
    for stage in range(1, stages + 1):
        of_stage = {
            "kernel": chance.choice([1, 3, 5, 9, 14, 28]),
            "step": chance.randint(1, 9),
            "maps": chance.randint(1, 9),
            "fan_in": chance.choice([1, 1, 2, 8, None, None]),
        }
        if pool == "average":
            of_stage["window"] = chance.randint(1, 12)
        window = of_stage.get("window", of_stage["step"])
        side = side - of_stage["kernel"] + 1
        fits &= (of_stage["fan_in"] or 1) <= maps and side >= 1 and window <= side
        side, maps = (side - window) // of_stage["step"] + 1 + 2 * chosen["filter_bank.padding"], of_stage["maps"]
        chosen |= {f"geometry.stage{stage}.{name}": value for name, value in of_stage.items()}
    typed = [f"{key}={'null' if value is None else value}" for key, value in chosen.items()]
    fixed = [f"data={config['data']}", f"model={model}", f"stages={stages}"]
    return Case("sizes", fixed + typed, [key for key in chosen if key.startswith("geometry")], fits)


def complaint(case, message):
    """What is wrong with a refusal, if anything."""
    if not message.isprintable():
        return "more than one line"
    if not any(key in message for key in case.keys):
        return "no key"
    damaged = case.overrides[-1]
    settings = (*(f"{key}=" for key in case.keys), f"{case.keys[0]}.", damaged, repr(damaged))
    if case.kind != "typo" and not any(setting in message for setting in settings):
        return "no value"
    if not any(words in message for words in SAYS_WHAT_TO_TYPE):
        return "nothing about what is allowed"
    return None


def assert_runnable(run):
    """An accepted run can be recorded, repeated and, unless that takes long, built."""
    json.dumps(run.config, allow_nan=False)
    assert "=" not in run.folder.name
    repeated = plan(run.overrides).config
    assert {k: v for k, v in repeated.items() if bears_on_result(k)} == {
        k: v for k, v in run.config.items() if bears_on_result(k)
    }
    numbers = [value for key, value in run.config.items() if key.startswith("geometry.") and type(value) is int]
    if max(*numbers, run.config["hidden"]) <= 300 and run.config["data.image_size"] <= 200:
        make_network(parse(run.config), classes=4)


def check(cases):
    """Plan every case; returns how many of each kind were accepted and refused."""
    counted, problems = Counter(), []
    for case in cases:
        shown = ascii(case.overrides)[:200]
        try:
            run = plan(case.overrides)
        except ConfigError as refusal:
            counted[case.kind, "refused"] += 1
            problem = "it fits" if case.fits else complaint(case, str(refusal))
            shown += f" -> {refusal}"
        else:
            counted[case.kind, "accepted"] += 1
            problem = "accepted" if case.fits is False else None
            assert_runnable(run)
        if problem:
            problems.append(f"{problem}: {shown[:600]}")
    assert not problems, "\n".join([f"{len(problems)} problems", *problems[:20]])
    return counted


def check_everything(count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    counted = check(generate(count))
    assert sum(counted.values()) == count
    for outcome in ("accepted", "refused"):
        assert sum(number for (_, one), number in counted.items() if one == outcome) > count / 20
        assert counted["sizes", outcome] > 0
    assert {kind for kind, _ in counted} == set(KINDS)
    assert not list(tmp_path.rglob("*"))


def test_a_hundred_generated_settings(tmp_path, monkeypatch):
    check_everything(100, tmp_path, monkeypatch)


@pytest.mark.slow
def test_a_thousand_generated_settings(tmp_path, monkeypatch):
    check_everything(1000, tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("seed=x is not allowed;\nexpected a number", "more than one line"),
        ("a setting is not allowed; expected a number", "no key"),
        ("seed is not allowed; expected a number", "no value"),
        ("seed=x is not allowed", "nothing about what is allowed"),
        ("seed=x is not allowed; expected a number", None),
    ],
)
def test_the_check_of_a_message_notices(message, said):
    assert complaint(Case("wrong type", ["seed=x"], ["seed"]), message) == said


def test_the_check_notices_what_is_wrongly_accepted_or_refused():
    for overrides, fits in ((["seed=1"], False), (["seed=x"], True)):
        with pytest.raises(AssertionError, match="1 problems"):
            check([Case("sizes", overrides, ["seed"], fits)])


def test_fifty_command_lines(tmp_path, monkeypatch, capsys):
    def stop(*_):
        raise MultistageError("accepted")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    monkeypatch.setattr("multistage.cli.one.execute", stop)
    codes = Counter()
    for case in generate(50, seed=1):
        code = train.main(case.overrides)
        printed, errors = capsys.readouterr()
        codes[code] += 1
        assert printed == ""
        assert errors.endswith("\n")
        message = errors[:-1].removeprefix("error: ")
        assert code == (1 if message == "accepted" else 2), ascii(case.overrides)
        assert message == "accepted" or complaint(case, message) is None, message
    assert codes.keys() == {1, 2}
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("damaged", ["seed=0,x", "model=avgpool,maxpol", "sead=0,1", "optimizer.lr=0.1,-1", "seed=0,"])
def test_one_bad_run_refuses_a_whole_multirun(tmp_path, monkeypatch, capsys, damaged):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
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
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.startswith(f"error: {damaged}")
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.rglob("*"))
