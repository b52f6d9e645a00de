"""A folder of class folders of images; what damage does to it is tested in `test_damage`."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from data.sets import PICTURES
from PIL import Image, TiffImagePlugin

from multistage.data import data_sets, drawn, files
from multistage.data.images import read_image
from multistage.data.overview import overview
from multistage.data.preprocessing import prepare
from multistage.registry.errors import ConfigError, DataError
from multistage.settings import composition


@pytest.fixture
def folder(made):
    return made("image_folder").folder


@pytest.fixture
def decoded(monkeypatch):
    """Each time that an image was decoded."""
    calls, each = [], files.Files._each

    def counting(self, indices, count=False):
        calls.extend(indices.tolist())
        return each(self, indices, count)

    monkeypatch.setattr(files.Files, "_each", counting)
    return calls


def test_any_images_of_any_size_are_prepared(folder, load):
    dataset = load("image_folder", image_size=30)
    assert dataset.images.shape == (7, 1, 30, 30)
    assert dataset.class_names == ("ant", "bee")
    assert dataset.labels.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert list(dataset.names) == sorted(PICTURES)
    assert dataset.is_test is None
    for name, image in zip(dataset.names, dataset.pixels(torch.arange(7)), strict=True):
        assert torch.equal(image, prepare(read_image(folder / name), 30))


def test_the_form_of_the_variance_is_the_one_asked_for(folder, load, write_image):
    image = np.random.default_rng(0).integers(0, 256, (38, 38), dtype=np.uint8)
    image[:, :19] //= 32
    write_image(folder / "ant/1.png", image)
    second = torch.tensor([1])
    forms = [load("image_folder", image_size=30, variance=form) for form in ("one_pass", "two_pass")]
    one, two = (dataset.pixels(second)[0] for dataset in forms)
    assert torch.equal(one, prepare(image, 30, "one_pass"))
    assert torch.equal(two, prepare(image, 30, "two_pass"))
    assert not torch.equal(one, two)


def test_labels_of_a_list_are_part_of_what_was_read(folder, load):
    """Corrected labels make another run; a folder's labels are in its names."""
    files = sorted(path for path in folder.rglob("*.*") if path.parent != folder)

    def read(wrong):
        right = [path.parent.name for path in files]
        labels = [("bee" if label == "ant" else "ant") if n in wrong else label for n, label in enumerate(right)]
        lines = [f"{path.relative_to(folder.parent)},{label}" for path, label in zip(files, labels, strict=True)]
        (folder.parent / "list.csv").write_text("\n".join(["file,label", *lines]))
        return load("image_folder", root=str(folder.parent / "list.csv"))

    wrong, right, again = read({0, 5}), read(set()), read(set())
    assert wrong.content_hash != right.content_hash == again.content_hash
    assert wrong.labels.tolist() != right.labels.tolist()


def test_copies_of_training_images_among_test_images_are_told(folder, settings):
    shutil.copy(folder / "ant/1.png", folder / "ant/1 (copy).png")
    chosen = settings("image_folder", train_per_class=2)
    dataset, split = drawn(chosen.data, chosen.draw)
    names = list(dataset.names)
    one, other = names.index("ant/1 (copy).png"), names.index("ant/1.png")
    assert dataset.copies == {max(one, other): min(one, other)}
    halves = replace(split, train=torch.tensor([other]), test=torch.tensor([one, 6]))
    assert "1 test images are copies of training images: ant/1 (copy).png" in overview(dataset, halves)["notes"]
    apart = replace(split, train=torch.tensor([6]), test=torch.tensor([one, other]))
    assert not any("copies" in note for note in overview(dataset, apart)["notes"])


def test_hidden_files_and_folders_and_files_beside_the_class_folders_are_left_out(folder, load):
    for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
        (folder / "bee" / name).write_bytes(b"x")
    (folder / "README.txt").write_bytes(b"x")
    (folder / ".ipynb_checkpoints").mkdir()
    shutil.copy(folder / "bee/1.png", folder / ".ipynb_checkpoints/1.png")
    dataset = load("image_folder")
    assert list(dataset.names) == sorted(PICTURES)
    assert dataset.class_names == ("ant", "bee")


@pytest.mark.parametrize("removed", [["ant"], ["ant", "bee"]])
def test_fewer_than_two_classes_are_refused(folder, load, refused, removed):
    for name in removed:
        shutil.rmtree(folder / name)
    with refused(f"data.root={folder}", "has images of fewer than two classes", "give the folder above"):
        load("image_folder")
    (folder / "ant").mkdir(exist_ok=True)
    for file in (folder / "ant").iterdir():
        file.unlink()
    with refused("ant holds no images"):
        load("image_folder")


@pytest.mark.parametrize("place", [data.folder for data in data_sets.values() if data.folder])
def test_the_folder_of_all_data_sets_is_refused(folder, load, refused, place):
    (folder / place).mkdir(parents=True)
    name = place.partition("/")[0]
    with refused(f"data.root={folder} is the folder of all data sets ({name})", "as in data.root=PATH"):
        load("image_folder")


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_refused(tmp_path, load, refused, name):
    (tmp_path / "file").touch()
    with refused(f"data.root={tmp_path / name}", "not a folder"):
        load("image_folder", root=str(tmp_path / name))


def test_the_content_hash_follows_contents_and_names(folder, load, write_image):
    def content_hash():
        return load("image_folder").content_hash

    hashes = [content_hash(), content_hash()]
    assert hashes[0] == hashes[1]
    write_image(folder / "bee/1.png", (9, 201))
    hashes.append(content_hash())
    (folder / "bee/2.bmp").rename(folder / "bee/3.bmp")
    hashes.append(content_hash())
    (folder / "bee/3.bmp").rename(folder / "ant/4.bmp")
    hashes.append(content_hash())
    (folder / "ant/4.bmp").unlink()
    hashes.append(content_hash())
    assert len(set(hashes)) == 5


def test_images_are_decoded_again_only_when_something_changed(folder, load, write_image, decoded):
    first, second = (load("image_folder") for _ in range(2))
    everything = torch.arange(len(PICTURES))
    assert torch.equal(first.pixels(everything), second.pixels(everything))
    assert len(decoded) == len(PICTURES)
    write_image(folder / "bee/1.png", (9, 201))
    changed = load("image_folder")
    assert len(decoded) == 2 * len(PICTURES)
    assert not torch.equal(changed.pixels(everything[5:6]), first.pixels(everything[5:6]))
    load("image_folder", image_size=31)
    load("image_folder", image_size=31, variance="two_pass")
    assert len(decoded) == 4 * len(PICTURES)


def test_an_unchanged_copy_elsewhere_is_the_same_set(folder, load, settings, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    here, there = load("image_folder"), load("image_folder", root=str(tmp_path / "copy"))
    assert here.content_hash == there.content_hash
    everything = torch.arange(len(PICTURES))
    assert torch.equal(here.pixels(everything), there.pixels(everything))
    draw = settings("image_folder", train_per_class=1, test_per_class=1).draw
    assert draw.of(here).digest == draw.of(there).digest


# Of images that lie in files, those of a draw are read


def test_only_images_that_a_draw_uses_are_decoded(folder, settings, decoded):
    chosen = settings("image_folder", train_per_class=1, test_per_class=1)
    dataset, split = drawn(chosen.data, chosen.draw)
    assert sorted(decoded) == split.used.tolist()
    assert len(split.used) == 4
    assert dataset.pixels(split.train).shape == (2, 1, 24, 24)
    assert dataset.content_hash != drawn(chosen.data, settings("image_folder", train_per_class=2).draw)[0].content_hash


def test_another_image_of_the_class_stands_in_for_a_damaged_one(folder, settings):
    chosen = settings("image_folder", train_per_class=2, test_per_class=1, skip_damaged=True)
    before, split = drawn(chosen.data, chosen.draw)
    used = before.names[int(split.train[0])]
    (folder / used).write_bytes(b"hello")
    after, split = drawn(chosen.data, chosen.draw)
    assert after.skipped == (used,)
    assert len(split.train) == 4
    assert used not in {after.names[n] for n in split.used.tolist()}


def test_images_that_do_not_fit_in_memory_are_read_batch_by_batch_and_are_the_same(folder, load, monkeypatch):
    everything = torch.arange(len(PICTURES))
    whole = load("image_folder")
    monkeypatch.setattr("multistage.data.dataset.IN_MEMORY", 4 * 24 * 24 * 2)
    streamed = load("image_folder")
    assert isinstance(streamed.images, files.Files)
    picked = streamed.inputs(everything)
    assert torch.equal(picked[everything[2:4]], whole.pixels(everything)[2:4])
    assert streamed.content_hash == whole.content_hash
    (folder / streamed.names[3]).write_bytes((folder / streamed.names[2]).read_bytes())
    with pytest.raises(DataError, match="changed while it was read"):
        picked[everything[3:4]]


def test_flat_images_are_noted(folder, load, write_image):
    write_image(folder / "bee/1.png", np.full((20, 20), 77, np.uint8))
    dataset = load("image_folder")
    assert [dataset.names[number] for number in dataset.flat] == ["bee/1.png", "bee/2.bmp"]


def test_files_of_several_pages_or_frames_are_noted_and_give_their_first(folder, load):
    first, second = (Image.fromarray(np.random.default_rng(n).integers(0, 256, (20, 20), np.uint8)) for n in range(2))
    small = TiffImagePlugin.ImageFileDirectory_v2()
    small[254] = 1  # NewSubfileType: a smaller copy of another picture
    for name in ("bee/1.tif", "bee/2.gif", "bee/3.png", "bee/4.webp"):
        first.save(folder / name, save_all=True, append_images=[second], lossless=True)
    second.encoderinfo = {"tiffinfo": small}
    first.save(folder / "bee/5.tif", save_all=True, append_images=[second])
    first.save(folder / "bee/6.tif")
    first.save(folder / "bee/7.mpo", save_all=True, append_images=[second])  # as cameras put a view beside a picture
    dataset = load("image_folder")
    assert [dataset.names[number] for number in dataset.several] == [
        "bee/1.tif",
        "bee/2.gif",
        "bee/3.png",
        "bee/4.webp",
    ]
    chosen = torch.tensor([dataset.names.index(name) for name in ("bee/1.tif", "bee/3.png", "bee/6.tif")])
    expected = prepare(np.asarray(first), dataset.images.shape[-1])
    for image in dataset.pixels(chosen):
        assert torch.equal(image, expected)


# Colour, depth and transparency


def test_a_folder_is_in_colour_if_any_image_is(folder, write_image):
    def colour(*typed):
        return composition.plan(["data=image_folder", f"data.root={folder}", *typed]).settings.data

    colour_then = colour()
    assert (colour_then.colour, colour_then.maps) == ("rgb", 3)
    assert colour("data.colour=gray").maps == 1
    assert composition.plan(["data=caltech101"]).settings.data.maps == 1
    assert composition.plan(["data=caltech101", "data.colour=rgb"]).settings.data.maps == 3


def test_gray_images_make_a_gray_data_set_also_if_they_are_saved_as_colour(root, write_image):
    for number, label in enumerate(("ant", "ant", "bee", "bee")):
        gray = np.random.default_rng(number).integers(0, 256, (30, 30), dtype=np.uint8)
        write_image(root / f"plain/{label}/{number}.png", gray if number % 2 else np.repeat(gray[..., None], 3, 2))
    run = composition.plan(["data=image_folder", f"data.root={root / 'plain'}"])
    assert (run.settings.data.colour, run.settings.data.maps) == ("gray", 1)


def test_depth_makes_no_difference_to_a_prepared_image(settings):
    """12 bits in a file of 16 are not black: no scale is assumed, and each image is normalised by itself."""
    data = settings("image_folder").data
    levels = np.random.default_rng(0).integers(0, 256, (40, 50))
    deep = data.prepare(levels.astype(np.float64) * 16)
    assert torch.allclose(deep, data.prepare(levels.astype(np.float64)), atol=1e-5)
    assert (deep - data.prepare(levels.astype(np.uint8))).abs().max() < 0.05  # 8 bits are rounded once


def test_a_black_drawing_on_a_transparent_ground_is_seen(settings, tmp_path):
    data = settings("image_folder").data
    drawing = np.zeros((30, 30, 4), np.uint8)
    drawing[10:20, 10:20, 3] = 255
    write = tmp_path / "a.png"
    Image.fromarray(drawing).save(write)
    assert data.prepare(data.decode(write)).std() > 0.1


@pytest.mark.parametrize("part", ["test", "val"])
def test_an_official_split_is_kept(root, write_image, settings, part):
    for name in ("train/ant/1", "train/ant/2", "train/bee/1", "train/bee/2", f"{part}/ant/1", f"{part}/bee/1"):
        write_image(root / f"{name}.png", (20, 20))
    chosen = settings("image_folder", train_per_class="auto", test_per_class=None)
    dataset, split = drawn(chosen.data, chosen.draw)
    assert {dataset.names[n] for n in split.test.tolist()} == {f"{part}/ant/1.png", f"{part}/bee/1.png"}
    assert len(split.train) == 4


def test_local_normalisation_can_be_left_out(folder, load):
    local, alone = load("image_folder"), load("image_folder", preprocessing="gcn")
    assert alone.images.shape == local.images.shape
    assert alone.content_hash == local.content_hash
    assert not torch.equal(alone.pixels(torch.arange(2)), local.pixels(torch.arange(2)))


def test_the_variance_of_a_local_normalisation_that_is_left_out_is_refused(folder, plan):
    with pytest.raises(ConfigError, match=r"data\.variance=two_pass has no effect with data\.preprocessing=gcn"):
        plan("data=image_folder", f"data.root={folder}", "data.preprocessing=gcn", "data.variance=two_pass")


def test_epochs_follow_the_number_of_training_images(folder, plan):
    own = ["data=image_folder", f"data.root={folder}"]
    alone, typed = plan(*own), plan(*own, "trainer.max_epochs=3")
    assert alone.config["trainer.max_epochs"] == 400
    assert typed.config["trainer.max_epochs"] == 3
    assert plan(*own, "trainer.max_epochs=400").folder == alone.folder != typed.folder
    assert plan(*own, "refine=false", "readout=lbfgs").config["trainer.max_epochs"] == "auto"
    with pytest.raises(
        ConfigError, match=r"max_epochs=auto follows the number of images, and the images of data=fake are not counted"
    ):
        plan("data=fake", "trainer.max_epochs=auto")


def test_own_images_get_a_network_of_today(folder, plan):
    run = plan("data=image_folder", f"data.root={folder}")
    assert [run.config[key] for key in ("model", "stages", "data.preprocessing")] == ["convnet", 4, "gcn"]
    assert run.config["optimizer._target_"] == "torch.optim.AdamW"
    assert run.settings.augmentation.mirror
    papers = plan("data=image_folder", f"data.root={folder}", "model=abs_lcn_avgpool", "data.image_size=143")
    assert (papers.settings.stages, papers.settings.geometry[0].kernel) == (2, 9)
