import json

import numpy as np
import pytest
import torch
from committed import RESULTS
from shipping import rounded
from torch import nn

from audit.explorer.packed import pack
from multistage.records.files import from_file
from multistage.registry.errors import MultistageError
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train.restore import make_network

MODELS = sorted({record["config"]["model"] for record in from_file(RESULTS / "explorer" / "records.jsonl")})

TYPES = {True: "<f2", False: "<f4"}


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
    places = [value for part in parts(packed) for value in part.values() if isinstance(value, dict)]
    found = [np.frombuffer(content, TYPES[p["half"]], p["length"], p["at"]).tolist() for p in places]
    values = [value.detach() for value in net.state_dict().values() if value.is_floating_point()]
    expected = [rounded(value).flatten().tolist() for value in values]
    assert sorted(found) == sorted(expected)
    assert sum((2 if place["half"] else 4) * place["length"] for place in places) == len(content)
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


def test_matrices_are_little_endian_float16_and_vectors_float32():
    net = made()
    torch.nn.init.constant_(net.classifier.weight, 1.0)
    torch.nn.init.constant_(net.classifier.bias, 1.0)
    classifier, content = pack(net)[0]["classifier"], pack(net)[1]
    for name, one in (("weights", b"\x00\x3c"), ("bias", b"\x00\x00\x80\x3f")):
        place = classifier[name]
        assert content[place["at"] : place["at"] + len(one) * place["length"]] == one * place["length"]


def test_networks_for_images_in_colour_are_refused():
    with pytest.raises(MultistageError, match="the explorer shows gray images; a network for images of 3 maps"):
        pack(made("data.maps=3"))
