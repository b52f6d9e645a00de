"""Every section, found by listing, on invented material: what it says is measured, and what must come out comes out."""

import io
import re

import pytest
from lecture.invented import MODELS, Invented, quick
from PIL import Image

from audit.lecture import publish, sections
from audit.lecture.drawing import WIDTH

NAMES = sections.names()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Sections by claim, each made when it is first asked for."""
    found = {}
    with quick(tmp_path_factory.mktemp("results")) as material:

        def make(name):
            if name not in found:
                found[name] = sections.make(name, material)
            return found[name]

        yield make


def values(made, claim):
    name = next(name for name in NAMES if sections.claim(name) == claim)
    return {key: measured.value for key, measured in made(name).measured.items()}


def test_names_say_the_claim_and_come_in_the_lectures_order():
    claims = [sections.claim(name) for name in NAMES]
    assert claims == sorted(set(claims))
    assert all(re.fullmatch(r"(lecture|paper)-\d\d", claim) for claim in claims)
    assert {f"lecture-{n:02}" for n in range(1, 15)} | {"paper-19"} == set(claims)


@pytest.mark.parametrize("name", NAMES)
def test_texts_are_filled_by_what_was_measured_pictures_are_small_and_tables_rectangles(made, name):
    section = made(name)
    assert section.claim == sections.claim(name)
    assert all("{" not in section.fill(text) for text in section.texts)
    assert len(section.words["text"].split()) >= 40
    assert all(measured.what for measured in section.measured.values())
    for file, png in section.pictures.items():
        assert file.startswith(f"{section.claim}-")
        assert len(png) < 150_000
        with Image.open(io.BytesIO(png)) as image:
            assert image.width == round(WIDTH * 160)
            assert image.info == {}
    for table in section.found.tables.values():
        assert {len(row) for row in table.rows} == {len(table.heads)}


def test_the_page_takes_all_of_them(made):
    document = publish.document([made(name) for name in NAMES])
    for name in NAMES:
        assert f'<section id="{sections.claim(name)}">' in document


@pytest.mark.parametrize("name", ["lecture_05_convolution", "lecture_09_gradients"])
def test_making_a_section_again_gives_the_same_bytes(made, name):
    again = sections.make(name, Invented())
    assert again.pictures == made(name).pictures
    assert publish.document([again]) == publish.document([made(name)])


def test_the_lectures_three_numbers(made):
    counted = values(made, "lecture-01")
    assert (counted["full"], counted["local"], counted["shared"]) == (1_600_000_000, 4_000_000, 10_000)
    assert counted["presets"] == len(MODELS)
    assert counted["same"] == sum("batchnorm" not in name for name in MODELS)


def test_shuffled_pixels_are_not_correlated(made):
    found = values(made, "lecture-03")
    assert abs(found["shuffled"]) < 0.02
    assert found["photo_near"] > 0.7 > found["photo_ten"] + 0.5
    assert found["photo_one"] <= found["photo_all"]


def test_equivariance_holds_where_it_must(made):
    found = values(made, "lecture-04")
    for exact in ("bank", "mean_step", "max_step", "maxpool_step"):
        assert found[exact] < 1e-5
    for broken in ("unshared", "mean_between", "max_between", "maxpool_between", "paper_step"):
        assert found[broken] > 0.05
    assert found["paper_inside"] < 1e-3


def test_convolution_is_exact(made):
    found = values(made, "lecture-05")
    assert found["example"] == 0
    assert found["by_hand"] < 1e-12
    assert found["with_w"] < 1e-6
    assert found["with_k"] > 0.3


def test_padding_is_wrong_only_where_the_filter_goes_over_the_border(made):
    found = values(made, "lecture-06")
    assert found["zero_inner"] < 1e-5
    assert found["zero_outer"] > 0.3
    assert (found["corner_valid"], found["corner_padded"], found["centre"]) == (1, 25, 81)


def test_the_detector_is_the_same_at_every_place(made):
    found = values(made, "lecture-07")
    assert found["places_error"] < 1e-6
    assert found["opposite"] == 0
    assert found["flat"] == pytest.approx(1 / (1 + 2.718281828**4))
    assert found["preferred"] > 0.2 > abs(found["preferred_random"])


def test_a_unit_that_looks_further_changes_less(made):
    found = values(made, "lecture-08")
    assert found["mean_wide"] < found["mean_five"]
    assert found["max_wide"] < found["max_five"]
    assert found["mean_one"] < found["none_one"]
    assert (found["unpooled"], found["pooled"]) == (1_166_400, 43_264)


def test_gradient_goes_where_the_lecture_says(made):
    found = values(made, "lecture-09")
    assert (found["winners"], found["reached_max"], found["reached_mean"]) == (100, 4, 100)
    assert found["share"] == pytest.approx(0.01)
    assert found["overlap"] == pytest.approx(0.04)
    assert max(found["by_map"], found["by_kernel"]) < 1e-9


def test_only_the_absolute_value_is_exactly_blind_to_sign(made):
    found = values(made, "lecture-10")
    assert found["abs"] == found["abs_lcn"] == found["abs_random"] == found["untrained_abs"] == 0
    assert found["identical"] == sum(name.startswith("abs") for name in MODELS)
    assert min(found["none"], found["untrained_none"]) > 1
    assert found["relu"] > 0.01


def test_unshared_weights_are_as_many_as_there_are_positions(made):
    found = values(made, "lecture-02")
    gains = 8
    assert found["ratio"] == (24 * 24 * 8 * 25 + gains) / (8 * 25 + gains)
    for shift in ("0", "far"):
        assert found[f"gain_{shift}"] == pytest.approx(found[f"shared_{shift}"] - found[f"local_{shift}"])


def test_normalisation_brings_the_mean_near_0_and_the_deviation_near_1_and_inhibits(made):
    found = values(made, "lecture-11")
    assert found["mean_before"] > 1.5 * found["mean_small"]
    assert found["photo_before"] < 0.2 < 0.6 < found["photo_small"] < 1.1
    assert found["photo_floor"] < found["photo_above"]
    assert found["others"] < 1
    assert found["alone"] < found["places"] < 1
    assert found["spread_after"] < found["spread_before"]
    assert found["lecture_common"] > 90 > 10 > found["paper_common"]
    assert abs(found["alike"]) < 0.5


def test_gains_are_those_of_the_published_records(made):
    """Invented accuracies fall by rank in the table, so that each operation gains what its ranks are apart."""
    found = values(made, "lecture-12")
    assert found["both"] == pytest.approx(found["rectify"] + found["normalise_with"])
    assert found["both"] == pytest.approx(found["normalise"] + found["rectify_with"])
    assert found["comparisons"] == found["better"] + found["worse"] + found["unclear"] == 4 * (2 + 2)
    assert found["rectify"] > 0 < found["normalise"]


def test_batch_normalisation_leaves_mean_0_and_deviation_1_before_its_scale_and_shift(made):
    found = values(made, "lecture-13")
    assert found["mean_error"] < 1e-4
    assert found["deviation_error"] < 0.01
    assert found["scale_low"] <= 1 <= found["scale_high"]
    assert found["plain_low"] > 0


def test_calibration_is_that_of_all_presets(made):
    found = values(made, "lecture-14")
    assert found["presets"] == len(MODELS)
    assert found["least"] <= found["error"] <= found["most"]
    assert found["few_over"] == pytest.approx(found["few_confidence"] - found["few_accuracy"])
    assert 0 <= found["sure"] <= 100


def test_without_normalisation_the_best_grating_is_at_the_peak_of_the_spectrum(made):
    found = values(made, "paper-19")
    assert found["square_exact"] == 100
    assert found["square_orientation"] == pytest.approx(1)
    assert found["n_exact"] < found["plain_exact"]
    assert found["random_response"] > found["random_noise"]
    assert found["random_far"] > found["unpooled_far"]
