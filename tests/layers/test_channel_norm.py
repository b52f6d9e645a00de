import numpy as np
import pytest
import torch
from layers import reference
from layers.cases import drawn

from multistage.layers import ChannelLayerNorm, ChannelRMSNorm, layer_norm, rms_norm

X, GAIN, BIAS = drawn(2, 5, 4, 3) + 0.5, drawn(5, seed=1), drawn(5, seed=2)


@pytest.mark.parametrize("eps", [1e-5, 0.3])
def test_equals_the_definition(eps):
    for gain, bias in ((GAIN, BIAS), (None, None)):
        arrays = (1, 0) if gain is None else (GAIN.numpy(), BIAS.numpy())
        y, expected = layer_norm(X, gain, bias, eps), reference.channel_norm(X.numpy(), *arrays, eps, True)
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)
        y, expected = rms_norm(X, gain, eps), reference.channel_norm(X.numpy(), arrays[0], 0, eps, False)
        np.testing.assert_allclose(y, expected, rtol=0, atol=1e-12)


def test_equals_torchs_own_over_last_axes():
    last = X.permute(0, 2, 3, 1)
    of_layer = torch.nn.functional.layer_norm(last, (5,), GAIN, BIAS, 1e-5)
    torch.testing.assert_close(layer_norm(X, GAIN, BIAS), of_layer.permute(0, 3, 1, 2), rtol=0, atol=1e-12)
    of_rms = torch.nn.functional.rms_norm(last, (5,), GAIN, 1e-5)
    torch.testing.assert_close(rms_norm(X, GAIN), of_rms.permute(0, 3, 1, 2), rtol=0, atol=1e-12)


@pytest.mark.parametrize(("module", "function"), [(ChannelRMSNorm, rms_norm), (ChannelLayerNorm, layer_norm)])
def test_modules_learn_gain_and_bias_and_pass_everything_on(module, function):
    layer = module(5, eps=0.1).double()
    torch.testing.assert_close(layer(X), function(X, eps=0.1), rtol=0, atol=1e-12)
    for parameter, values in zip(layer.parameters(), (GAIN, BIAS), strict=False):
        parameter.data = values
    parameters = dict(layer.named_parameters())
    assert list(parameters) == ["gain", "bias"][: len(parameters)]
    assert torch.equal(layer(X), function(X, **parameters, eps=0.1))


@pytest.mark.parametrize("function", [rms_norm, layer_norm])
def test_flat_positions_have_finite_gradients(function):
    x = torch.zeros(1, 3, 2, 2, requires_grad=True)
    y = function(x)
    (gradient,) = torch.autograd.grad(y, x, drawn(*y.shape).float())
    assert not y.any()
    assert gradient.isfinite().all()


@pytest.mark.parametrize("function", [rms_norm, layer_norm])
def test_sixteen_bits_are_for_storage_only(function):
    x = (300 * drawn(2, 64, 3, 3)).half()  # squares beyond float16
    torch.testing.assert_close(function(x), function(x.double()).half(), rtol=0, atol=2e-3)


def test_what_cannot_be_is_refused_by_name():
    for module in (ChannelRMSNorm, ChannelLayerNorm):
        for choice in ({"channels": 0}, {"channels": 3, "eps": 0.0}):
            with pytest.raises(ValueError, match=r"channels must be at least 1 and eps positive, not"):
                module(**choice)
        with pytest.raises(ValueError, match=r"x has 5 channels, its gain or bias is \[4\]"):
            module(4)(X)
    for function in (rms_norm, layer_norm):
        with pytest.raises(ValueError, match="eps must be positive, not -1"):
            function(X, eps=-1)
        for x in (X[0], X.int()):
            with pytest.raises(ValueError, match="x must be floating point"):
                function(x)
