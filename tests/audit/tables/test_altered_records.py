"""Every field of a record altered or taken away, its checksum right: named in one line, or shown without harm."""

import copy
import json

import numpy as np
import pytest
from report import invented

from audit.ladder.climb import Ladder
from audit.pages import captions, index
from audit.tables import publish
from audit.tables.results import Results
from multistage.cli import terminal
from multistage.records import runs
from multistage.registry.errors import MultistageError
from multistage.storage import durable

GONE = object()
MARKUP = "<foreign>"
VALUES = (GONE, None, MARKUP, -1, 1e308, True, [], {"a": [None]})


def places(value, path=()):
    """Where each field lies, of lists those of the first item; settings are altered as a whole in other tests."""
    if path:
        yield path
    if isinstance(value, dict) and path != ("config",):
        for name, inner in value.items():
            yield from places(inner, (*path, name))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*path, 0))


def altered(record, path, value):
    changed = copy.deepcopy(record)
    place = changed
    for name in path[:-1]:
        place = place[name]
    if value is GONE:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def a_record():
    more = {
        "per_class": [{"name": "ant", "correct": 1, "total": 2}, {"name": "bee", "correct": 1, "total": 2}],
        "history": {"train_loss": [1.0, 0.5], "step": [1, 2]},
        "versions": {"torch": "2.10", "python": "3.11"},
        "resumed": [{"epochs": 1, "threads": 2, "versions": {"torch": "2.9"}}],
        "code_at_end": {"code": "0" * 16, "dirty": True},
        "filters": [{"oriented": 3}],
        "readout": {"lr": 0.1},
        "diverged": "its training loss ended at 9",
        "skipped": ["ant/1.jpg"],
    }
    return invented.record(data="digits", filters="psd") | more


FIELDS = sorted({path[0] for path in places(a_record())})


def show(folder, record, others):
    """All that is made of records: what a terminal says, tables, the page."""
    terminal.comparison([record, *others])
    terminal.summary(record, folder)
    terminal.line(record, [record], "1/1", 1.0)
    terminal.pictures([record])
    invented.results(folder, first_light=[record, *others])
    results = Results(folder)
    (experiment,) = results.experiments.values()
    return index.document(results, [], Ladder(results)), *publish.texts(experiment).values()


def shown_or_named(folder, content, others):
    """The page of a record that can be shown, None where it is named in one line."""
    try:
        return show(folder, runs.whole(content, "it"), others)[0]
    except MultistageError as error:
        if not str(error).isprintable():
            raise
        return None


@pytest.mark.parametrize("field", FIELDS)
def test_an_altered_field_is_named_or_does_no_harm(field, tmp_path):
    honest = a_record()
    others = [invented.record(draw=draw, data="digits", filters="psd") for draw in (1, 2)]
    assert MARKUP not in show(tmp_path / "honest", honest, others)[0]
    for path in places(honest):
        for value in VALUES if path[0] == field else ():
            changed = json.dumps(durable.stamp(altered(honest, path, value)))
            if (shown := shown_or_named(tmp_path / "altered", changed, others)) is not None:
                assert MARKUP not in shown, path


@pytest.mark.parametrize("filters", [GONE, [], [{}], [{"oriented": 3}], [{"prediction_snr": 1.0}]])
def test_filters_of_which_a_record_says_less_are_shown_all_the_same(filters):
    record = altered(invented.record(data="digits", filters="psd") | {"filters": [{}]}, ("filters",), filters)
    said = captions.learned_filters(record, np.ones((2, 1, 3, 3), np.float32))
    assert said.startswith("2 first-stage filters that predict sparse codes")
    assert "The codes that they predict" not in said
