import json

import numpy as np
import pytest
import torch
from committed import RESULTS
from torch import nn

from audit.explorer.packed import pack
from multistage.records.files import from_file
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train.restore import make_network

MODELS = sorted({record["config"]["model"] for record in from_file(RESULTS / "explorer" / "records.jsonl")})


def made(*overrides):
    return make_network(parse(composition.plan(["data=mnist", *overrides]).config), classes=10)


def parts(packed):
    return [part for stage in packed["stages"] for part in stage] + [packed["classifier"]]


@pytest.mark.parametrize("model", MODELS)
def test_every_preset_is_packed_with_all_its_values(model):
    net = made(f"model={model}")
    for value in (*net.parameters(), *net.buffers()):
        if value.is_floating_point():
            nn.init.uniform_(value, 0.5, 2)
    packed, content = pack(net)
    assert json.loads(json.dumps(packed)) == packed
    values = np.frombuffer(content, "<f4")
    stored = [place for part in parts(packed) for key, place in part.items() if isinstance(place, list)]
    places = [place for place in stored if len(place) == 2 and isinstance(place[0], int)]
    found = [values[first : first + length].tolist() for first, length in places]
    expected = [value.flatten().tolist() for value in net.state_dict().values() if value.is_floating_point()]
    assert sorted(found) == sorted(expected)
    assert sum(map(len, found)) == len(values)
    names = [[part["name"] for part in stage] for stage in packed["stages"]]
    assert names == [[name for name, _ in stage.named_children()] for stage in net.stages]
    tables = [stage[0]["connections"] for stage in packed["stages"]]
    assert tables == [[[0]] * 32, net.filter_banks[1].connections.tolist()]


@pytest.mark.parametrize(
    "override",
    [
        *("hidden=200", "filter_bank.bias=true", "filter_bank.gain=false", "filter_bank.squash=none"),
        *("filter_bank.padding=1", "contrast_norm.floor=1", "contrast_norm.border=reflect", "contrast_norm.sigma=2"),
        "contrast_norm.across_maps=false",
    ],
)
def test_what_the_page_cannot_compute_is_refused(override):
    with pytest.raises(MultistageError, match="the explorer cannot show"):
        pack(made(override))


def test_values_are_little_endian_float32():
    net = made()
    torch.nn.init.constant_(net.classifier.bias, 1.0)
    packed, content = pack(net)
    first, length = packed["classifier"]["bias"]
    assert content[4 * first : 4 * (first + length)] == b"\x00\x00\x80\x3f" * 10


def test_networks_for_images_in_colour_are_refused():
    with pytest.raises(MultistageError, match="the explorer shows gray digits; a network for images of 3 maps"):
        pack(made("data.maps=3"))
