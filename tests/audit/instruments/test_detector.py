import pytest
import torch

from audit.instruments.detector import detector_map, vertical_edge


def edge(at, dark=0.0, bright=255.0, side=20):
    x = torch.full((1, 1, side, side), dark)
    x[..., at:] = bright
    return x


def test_a_flat_image_of_any_gray_gives_the_sigmoid_of_minus_the_threshold():
    for gray in (0.0, 100.0, 255.0):
        found = detector_map(torch.full((1, 1, 9, 9), gray), vertical_edge())
        torch.testing.assert_close(found, torch.full((1, 1, 7, 7), 1 / (1 + torch.e**4)))


@pytest.mark.parametrize("at", range(2, 18))
def test_an_edge_is_found_where_it_is_and_nowhere_else(at):
    found = detector_map(edge(at), vertical_edge())[0, 0]
    firing = (found > 0.5).nonzero()[:, 1].unique().tolist()
    assert firing == [at - 2, at - 1]  # the kernel's middle stands left and right of it
    assert found[:, at - 1] == pytest.approx(1 / (1 + torch.e ** -(0.02 * 3 * 255 - 4)))


def test_the_other_polarity_and_the_other_orientation_are_not_found():
    assert detector_map(255 - edge(9), vertical_edge()).max() < 0.02
    assert detector_map(edge(9).mT, vertical_edge()).max() < 0.02


def test_the_weakest_edge_that_is_found_has_sixty_seven_gray_values():
    assert detector_map(edge(9, 100.0, 166.0), vertical_edge()).max() < 0.5
    assert detector_map(edge(9, 100.0, 167.0), vertical_edge()).max() > 0.5


def test_the_kernel_is_w_flipped():
    assert vertical_edge().tolist() == [[1, 0, -1]] * 3
    assert vertical_edge(5)[0].tolist() == [1, 1, 0, -1, -1]
