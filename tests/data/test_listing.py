"""Which files of a folder or list are images of which class, and what is refused; nothing is decoded."""

import os

import pytest

from multistage.data import listing


@pytest.fixture
def tree(tmp_path):
    """Make files of a tree; returns its root."""

    def make(*names):
        for name in names:
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        return tmp_path

    return make


def classes(found):
    return {image.name: image.label for image in found}


def test_folders_are_classes(tree):
    found, notes = listing.read(tree("cat/b.jpg", "cat/a.jpg", "dog/c.png"))
    assert classes(found) == {"cat/a.jpg": "cat", "cat/b.jpg": "cat", "dog/c.png": "dog"}
    assert {image.part for image in found} == {""}
    assert notes == ()


def test_nested_images_count_for_their_class(tree):
    found, _ = listing.read(tree("fish/2020/a.jpg", "fish/2021/05/b.jpg", "cat/c.jpg", "cat/sub/y.jpg"))
    assert classes(found) == {
        "fish/2020/a.jpg": "fish",
        "fish/2021/05/b.jpg": "fish",
        "cat/c.jpg": "cat",
        "cat/sub/y.jpg": "cat",
    }


@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_train_and_test_folders_are_the_official_split(tree, validation):
    names = [f"{part}/{label}/x.jpg" for part in ("train", validation, "test") for label in ("cat", "dog")]
    found, _ = listing.read(tree(*names))
    assert {image.label for image in found} == {"cat", "dog"}
    assert {image.name.split("/")[0]: image.part for image in found} == {
        "train": "train",
        validation: "validation",
        "test": "test",
    }


def test_validation_images_are_the_test_images_where_there_are_no_others(tree):
    found, _ = listing.read(tree("train/cat/a", "train/dog/b", "val/cat/c", "val/dog/d"))
    assert {image.name: image.part for image in found}["val/cat/c"] == "test"


def test_a_class_may_be_called_train(tree):
    found, _ = listing.read(tree("train/a.jpg", "bus/b.jpg"))
    assert classes(found) == {"train/a.jpg": "train", "bus/b.jpg": "bus"}


def test_what_is_left_out_is_said(tree):
    _, notes = listing.read(tree("cat/a", "dog/b", "c.jpg", "d.jpg", ".hidden"))
    assert notes == ("2 files outside class folders are left out",)
    _, notes = listing.read(tree("train/cat/a", "train/dog/b", "test/cat/c", "test/dog/d"))
    assert "folders next to train are left out: cat, dog" in notes


def test_hidden_files_and_folders_are_passed_over(tree):
    found, _ = listing.read(tree("cat/a", "cat/.b", "cat/.git/c", "dog/d", ".cache/e"))
    assert classes(found) == {"cat/a": "cat", "dog/d": "dog"}


def test_a_link_that_leads_back_ends(tree):
    root = tree("cat/a", "dog/b")
    (root / "cat/again").symlink_to(root / "cat")
    assert classes(listing.read(root)[0]) == {"cat/a": "cat", "dog/b": "dog"}


def test_a_class_without_images_is_refused(tree, refused):
    root = tree("cat/a", "dog/b")
    (root / "fish/2020").mkdir(parents=True)
    with refused(f"class folder {root / 'fish'} holds no images"):
        listing.read(root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(tree, refused):
    root = tree("cat/a", "dog/b")
    (root / "dog").chmod(0)
    try:
        with refused(f"{root / 'dog'} cannot be read", "Permission denied"):
            listing.read(root)
    finally:
        (root / "dog").chmod(0o700)


def test_a_folder_that_cannot_be_read_is_named(tree, refused, monkeypatch):
    root, scandir = tree("cat/a", "dog/b"), os.scandir

    def refuse(folder):
        if str(folder).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(folder))
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with refused(f"{root / 'dog'} cannot be read: Permission denied"):
        listing.read(root)


def test_a_list_says_file_label_and_split(tmp_path):
    file = tmp_path / "list.csv"
    file.write_text("\ufefffile,label,split\nx/a.jpg,cat,train\nb.jpg,dog,train\nc.jpg,cat,test\nd.jpg,dog,test\n")
    found, _ = listing.read(file)
    assert classes(found) == {"x/a.jpg": "cat", "b.jpg": "dog", "c.jpg": "cat", "d.jpg": "dog"}
    assert {image.name: image.part for image in found}["c.jpg"] == "test"
    assert found[0].path == str(tmp_path / "b.jpg")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has the columns none; expected file and label"),
        ("name,kind\na,b\n", "has the columns name, kind; expected file and label"),
        ("file,label\na.jpg\n", "line 2: expected a file and a label"),
        ("file,label,split\na.jpg,cat,exam\n", "line 2: expected a file and a label, and a split of train"),
        ("file,label\na.jpg,cat\na.jpg,dog\n", "names a.jpg twice"),
        ("file,label\na.jpg,cat\n", "has images of fewer than two classes; list images of another"),
        ("file,label\n", "lists no images"),
        ("file,label\n\n\na.jpg,cat\nb.jpg\n", "line 5: expected a file and a label"),
        ("file,label\na.jpg,cat\nb.jpg,dog\n./a.jpg,dog\n", "names a.jpg twice, once as ./a.jpg"),
        ("file,label,split\na.jpg,cat,train\nb.jpg,dog,train\n", "has only train images by its column split"),
    ],
)
def test_a_list_that_says_something_else_is_refused(tmp_path, refused, text, words):
    (tmp_path / "list.csv").write_text(text)
    with refused(str(tmp_path / "list.csv"), words):
        listing.read(tmp_path / "list.csv")


def test_a_name_in_a_list_that_only_begins_like_a_home_folder_stays(tmp_path):
    (tmp_path / "list.csv").write_text("file,label\n~no such user.png,cat\nb.png,dog\n")
    found, _ = listing.read(tmp_path / "list.csv")
    assert found[1].path == str(tmp_path / "~no such user.png")


@pytest.mark.parametrize("name", ["cat/a\n.jpg", "do\x1bg/a.jpg"])
def test_a_name_that_cannot_be_shown_is_refused(tree, refused, name):
    root = tree("cat/x", "dog/y", name)
    with refused("characters in its name that cannot be shown"):
        listing.read(root)


@pytest.mark.parametrize(
    "names", [("Train", "Test"), ("TRAIN", "VAL"), ("training", "testing"), ("Training", "Validation")]
)
def test_the_official_split_may_be_spelled_otherwise(tree, names):
    found, _ = listing.read(tree(*(f"{part}/{label}/x.jpg" for part in names for label in ("cat", "dog"))))
    assert {image.label for image in found} == {"cat", "dog"}
    assert {image.name.split("/")[0]: image.part for image in found} == dict(zip(names, ("train", "test"), strict=True))


def test_files_beside_the_classes_of_a_part_are_said(tree):
    _, notes = listing.read(tree("train/cat/a", "train/dog/b", "test/cat/c", "test/dog/d", "train/e", "test/f", "g"))
    assert notes == ("3 files outside class folders are left out",)


@pytest.mark.parametrize(("link", "target"), [("cat/up", "."), ("cat/other", "dog"), ("bird", "dog")])
def test_a_link_gives_no_images_to_two_classes(tree, refused, link, target):
    root = tree("cat/a", "dog/b")
    (root / link).symlink_to(root / target)
    with refused("by a link", f"share the images of {root / 'dog'}; remove the link"):
        listing.read(root)


def test_a_link_does_not_make_training_images_test_images(tree, refused):
    root = tree("train/cat/a", "train/dog/b")
    (root / "test").symlink_to("train")
    with refused("by a link", f"share the images of {root / 'train/cat'}"):
        listing.read(root)


def test_a_class_behind_a_link_that_leads_nowhere_is_named(tree, refused):
    root = tree("cat/a", "dog/b")
    (root / "fish").symlink_to("/nonexistent/fish")
    with refused(f"{root / 'fish'} is a broken link"):
        listing.read(root)


def test_an_image_behind_a_link_that_leads_nowhere_is_one_of_its_class(tree):
    root = tree("cat/a", "dog/b")
    (root / "dog/c").symlink_to("/nonexistent/c")
    assert classes(listing.read(root)[0])["dog/c"] == "dog"  # and reading it names it


def test_a_list_may_have_spaces_and_capitals(tmp_path):
    (tmp_path / "list.csv").write_text(
        "File, Label, Split\na.jpg,cat ,Train\nb.jpg, dog,train\nc.jpg,cat, TEST\nd.jpg,dog,test\n"
    )
    found, _ = listing.read(tmp_path / "list.csv")
    assert [(image.label, image.part) for image in found] == [
        ("cat", "train"),
        ("dog", "train"),
        ("cat", "test"),
        ("dog", "test"),
    ]


@pytest.mark.parametrize(
    "name", ["Screenshot 3.45\u202fPM.png", "a\u00a0b.png", "\u200eIMG.jpg", "\U0001f468\u200d\U0001f469.png"]
)
def test_names_as_phones_and_screenshots_have_them_are_read(tree, name):
    found, _ = listing.read(tree(f"cat/{name}", "dog/b"))
    assert classes(found)[f"cat/{name}"] == "cat"
