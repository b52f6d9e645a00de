import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from audit.instruments.accounting import count
from multistage.settings import composition
from multistage.settings.tree import parse
from multistage.train.restore import make_network

MODELS = composition.names("model")


def counted(model, data="caltech101", classes=102):
    config = composition.plan([f"data={data}", f"model={model}"]).config
    image = (config["data.maps"], config["data.image_size"], config["data.image_size"])
    net = make_network(parse(config), classes)
    return net, {layer.name: layer for layer in count(net, image)}


def test_the_papers_network_by_hand():
    _, layers = counted("abs_lcn_avgpool")
    sizes = {name: (layer.shape, layer.parameters) for name, layer in layers.items()}
    assert sizes == {
        "stage 1 filter_bank": ((64, 135, 135), 5_184 + 64),
        "stage 1 rectify": ((64, 135, 135), 0),
        "stage 1 contrast_norm": ((64, 135, 135), 0),
        "stage 1 pool": ((64, 26, 26), 0),
        "stage 2 filter_bank": ((256, 18, 18), 331_776 + 256),
        "stage 2 rectify": ((256, 18, 18), 0),
        "stage 2 contrast_norm": ((256, 18, 18), 0),
        "stage 2 pool": ((256, 4, 4), 0),
        "classifier": ((102,), 4_096 * 102 + 102),
    }
    assert layers["stage 1 filter_bank"].multiply_adds == 64 * 135 * 135 * 81
    assert layers["stage 2 filter_bank"].multiply_adds == 256 * 18 * 18 * 16 * 81
    assert layers["stage 1 contrast_norm"].multiply_adds == 135 * 135 * (64 + 81 + 64 + 81)
    assert layers["stage 1 pool"].multiply_adds == 64 * 26 * 26 * 100
    assert layers["classifier"].multiply_adds == 4_096 * 102


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_of_every_preset_is_counted_once(model):
    net, layers = counted(model, "mnist", 10)
    assert sum(layer.parameters for layer in layers.values()) == sum(p.numel() for p in net.parameters())


def test_multiply_adds_are_those_that_torch_counts_where_all_maps_are_connected():
    config = composition.plan(["data=mnist", "model=maxpool", "geometry.stage2.fan_in=null", "hidden=7"]).config
    net = make_network(parse(config), 10)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(torch.zeros(1, 1, 28, 28))
    assert 2 * sum(layer.multiply_adds for layer in count(net, (1, 28, 28))) == counter.get_total_flops()


def test_batch_normalisation_counts_a_scale_and_a_shift_a_map():
    _, layers = counted("batchnorm_avgpool", "mnist", 10)
    assert layers["stage 1 batch_norm"].parameters == 2 * 32
    assert layers["stage 1 batch_norm"].multiply_adds == 32 * 24 * 24
