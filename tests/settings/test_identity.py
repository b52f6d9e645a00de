"""One run is one identity and one folder, however it was typed; what says nothing is taken as nothing or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from multistage.registry.errors import ConfigError, UnreadError
from multistage.settings.composition import expand, plan, plan_all

SAME = [
    ("~schedule", "schedule=null"),
    ("~schedule._target_", "schedule=constant"),
    ("schedule=cosine schedule=null", "schedule=null"),
    ("schedule=cosine ~schedule", "schedule=null"),
    ("schedule=null schedule=cosine", "schedule=cosine"),
    ("geometry=auto geometry.stage1.kernel=3 geometry.stage2.maps=64", "geometry=auto"),
    ("geometry=auto geometry.stage1.kernel=7 geometry.stage2.kernel=3", "geometry=auto geometry.stage1.kernel=7"),
    ("stages=3 filters=psd psd.stage3.steps=500", "stages=3 filters=psd"),
    ("stages=3 filters=psd psd.stage2.steps=9 psd.stage3.steps=9", "stages=3 filters=psd psd.stage2.steps=9"),
    ("model.stage1.pool=average", ""),
    ("model.stage1.pool=max model.stage2.pool=max", "model.pool=max"),
    ("model.pool=max model.stage1.pool=average", "model.stage2.pool=max"),
    ("callbacks=lr_monitor", ""),
    ("trainer.devices=2", ""),
    ("logger=wandb logger.project=x", ""),
    ("callbacks=early_stopping data.validation=5 logger=wandb", "callbacks=early_stopping data.validation=5"),
    (
        "callbacks=ema +callbacks.ema.update_every_n_steps=1 +callbacks.ema.update_starting_at_step=null",
        "callbacks=ema",
    ),
    ("softmax.dropout=0 softmax.label_smoothing=0.0", ""),
    ("leaky_relu.slope=0.01", ""),
    ("readout=ridge refine=false ridge.penalty=auto", "readout=ridge refine=false"),
    ("+optimizer.nesterov=false", ""),
    ("~optimizer.weight_decay", ""),
    ("optimizer.lr=1.0", "optimizer.lr=1"),
    ("contrast_norm.sigma=2.0", "contrast_norm.sigma=2"),
    ("psd.prediction=1 filters=psd", "filters=psd"),
    ("trainer.precision=32-true trainer.devices=1 trainer.accumulate_grad_batches=1", ""),
    ("trainer.limit_train_batches=1.0", ""),
]


@pytest.mark.parametrize(("typed", "same"), SAME)
def test_what_would_be_there_anyway_makes_no_other_run(typed, same):
    one, other = plan(["data=fake", *typed.split()]), plan(["data=fake", *same.split()])
    assert one.settings.bearing == other.settings.bearing
    assert one.folder == other.folder
    assert one.overrides == other.overrides


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("refine=false readout=sgd softmax.dropout=0.5", "softmax.dropout=0.5 has no effect with .*=sgd; leave it out"),
        ("leaky_relu.slope=0.2", "leaky_relu.slope=0.2 has no effect with .*, model.rectify=abs; leave it out"),
        ("data.variance=two_pass", "data.variance=two_pass has no effect with data=fake; leave it out"),
        ("refine=false readout=pyramid_svm model.stage2.pool=l2", "model.stage2.pool=l2 has no effect with .*svm"),
        ("refine=false readout=ridge trainer.profiler=simple", "trainer.profiler=simple has no effect with .*=ridge"),
        ("refine=false readout=ridge ~schedule", "has no effect with .*readout=ridge"),
        ("logger.project=x", "logger.project=x has no effect with logger=csv; leave it out"),
        ("trainer.limit_val_batches=2", "limit_val_batches=2 has no effect with data.validation=0"),
        ("refine=false trainer.min_epochs=3", "min_epochs=3 has no effect without callbacks=early_stopping"),
        ("model.pool=max geometry.stage1.window=3", "window=3 has no effect with model.pool=max, whose windows"),
        ("model.stage1.pool=max geometry.stage1.window=3", "window=3 has no effect with model.stage1.pool=max"),
        ("stages=1 geometry.stage2.window=3", "window=3 has no effect with .*stages=1"),
        ("model.pool=max model.stage1.pool=l2 model.stage2.pool=l2", "model.pool=max has no effect since each stage"),
        ("~optimizer.momentum", "optimizer.momentum=0 has no effect, since OneCycleLR moves it"),
    ],
)
def test_a_setting_without_effect_is_refused_with_what_takes_its_effect_away(typed, message):
    with pytest.raises(UnreadError, match=message):
        plan(["data=fake", *typed.split()])


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("callbacks=null", "callbacks=null removes a required setting; expected callbacks=NAME, one of early"),
        ("~callbacks", "~callbacks removes a required setting.*, none, polyak$"),
        ("~optimizer", "~optimizer removes .*one of adam, adamw, .*sgd"),
        ("~optimizer.lr", "optimizer.lr has no value; expected optimizer.lr=..., a number above 0"),
        ("~trainer.max_epochs", "trainer.max_epochs has no value; expected trainer.max_epochs="),
        ("draw={}", "draw has no value; expected draw=..., a whole number"),
        ("contrast_norm.floor={}", "contrast_norm.floor has no value; expected "),
        ("geometry.stage2.maps={}", "geometry.stage2.maps has no value; expected "),
        ("trainer.overfit_batches=0.0", "expected a whole number from 0 .*, or a number above 0"),
    ],
)
def test_what_has_to_be_there_cannot_be_taken_away(typed, message):
    with pytest.raises(ConfigError, match=message):
        plan(["data=fake", typed])


WORDS = {
    "seed": "0 1",
    "stages": "1 2 3",
    "filters": "random psd gabor",
    "psd.stage1.steps": "2000 3",
    "psd.stage2.steps": "500 3",
    "psd.stage3.steps": "500 3",
    "readout": "softmax ridge",
    "refine": "true false",
    "ridge.penalty": "auto 1 1.0",
    "schedule": "null constant cosine one_cycle",
    "optimizer": "sgd adamw",
    "optimizer.lr": "0.05 1 1.0 1e-3 0.001",
    "optimizer.momentum": "0.9 0 0.0 0.5",
    "+optimizer.nesterov": "false true",
    "param_groups": "none no_decay",
    "+param_groups.head.params": "[classifier] [classifier.weight,kernels]",
    "+param_groups.head.lr": "0.05 0.5",
    "optimizer.weight_decay": "0.0 0.1",
    "softmax.dropout": "0.0 0 0.5",
    "softmax.label_smoothing": "0 0.1",
    "callbacks": "none lr_monitor early_stopping ema polyak",
    "logger": "csv wandb",
    "logger.mode": "offline online",
    "data.validation": "0 5",
    "trainer.precision": "32-true bf16-mixed",
    "trainer.limit_train_batches": "1 1.0",
    "trainer.limit_val_batches": "1 0.5",
    "trainer.min_epochs": "null 2",
    "trainer.profiler": "null simple",
    "geometry": "mnist auto",
    "geometry.stage1.kernel": "5 3 7",
    "geometry.stage2.kernel": "5 3",
    "geometry.stage1.window": "2 3",
    "contrast_norm.sigma": "null 2 2.0",
    "leaky_relu.slope": "0.01 0.5",
    "model": "abs_lcn_avgpool maxpool",
    "model.rectify": "abs leaky_relu",
    "model.pool": "average max l2",
    "model.stage1.pool": "average max",
    "model.stage2.pool": "average max",
    "model.stage3.pool": "average max",
}
CHOSEN = st.dictionaries(st.sampled_from(list(WORDS)), st.integers(0, 3), min_size=1, max_size=7)


def planned(chosen):
    """The run of some settings, without those that it refuses."""
    typed = {key: f"{key}={(values := WORDS[key].split())[which % len(values)]}" for key, which in chosen.items()}
    while True:
        try:
            return plan(["data=fake", *typed.values()])
        except UnreadError as refusal:
            refused = {refusal.key, f"+{refusal.key}"} & typed.keys() or {refusal.key.partition(".")[0]}  # or its file
            typed = {key: word for key, word in typed.items() if key not in refused}
        except ConfigError:
            typed.popitem()


@given(CHOSEN, CHOSEN, st.booleans())
def test_runs_share_a_folder_exactly_if_they_are_one_run(chosen, others, alike):
    one = planned(chosen)
    other = planned({key: which for key, which in chosen.items() if key not in others} if alike else others)
    assert (one.folder == other.folder) == (one.settings.bearing == other.settings.bearing)
    again = plan(one.overrides)
    assert (again.folder, again.settings.bearing, again.overrides) == (one.folder, one.settings.bearing, one.overrides)


def left_out(*words):
    planned, _, told = plan_all(expand(["data=fake", *words]))
    return [run.folder.name for run in planned], told


def test_a_sweep_leaves_out_what_a_run_does_not_read():
    folders, told = left_out("optimizer=sgd,adamw", "optimizer.momentum=0.9")
    assert folders[0] == "draw-0-seed-0"
    assert "AdamW" in folders[1]
    assert told == ["optimizer.momentum=0.9 is left out of 1 of 2 runs, which do not read it"]
    assert left_out("optimizer=sgd,adamw", "+optimizer.nesterov=true")[1] == [
        told[0].replace("optimizer.momentum=0.9", "+optimizer.nesterov=True")
    ]
    assert left_out("logger=csv,wandb", "logger.project=x")[1] == [
        "logger.project=x is left out of 1 of 2 runs, which do not read it"
    ]
    both = ("refine=false", "readout=softmax,ridge", "trainer.max_epochs=1", "ridge.penalty=2")
    assert [line.partition(" ")[0] for line in left_out(*both)[1]] == ["ridge.penalty=2", "trainer.max_epochs=1"]
    assert len(left_out("refine=false", "readout=softmax,ridge", "trainer={max_epochs: 1, precision: 64-true}")[1]) == 1


@pytest.mark.parametrize(
    ("words", "refused"),
    [
        (("optimizer=sgd,adamw", "optimizer.momentun=0.9"), "unknown key 'optimizer.momentun'"),
        (("seed=0,1", "lbfgs.penalty=1"), "lbfgs.penalty=1 has no effect"),
        (("seed=0,1", "lbfgs.penalty=1", "hidden=-1"), "hidden=-1 is not allowed"),
    ],
)
def test_a_sweep_refuses_what_no_run_reads_and_says_which(words, refused):
    with pytest.raises(ConfigError, match=refused):
        left_out(*words)


def test_typed_order_makes_no_other_run():
    typed = [
        "data=fake",
        "model.stage1.pool=max",
        "model.stage2.pool=l2",
        "trainer.precision=64-true",
        "group_norm.groups=4",
    ]
    one, other = plan([*typed, "model.normalise=groupnorm"]), plan(["model.normalise=groupnorm", *reversed(typed)])
    assert one.folder == other.folder
    assert one.settings.bearing == other.settings.bearing


def test_one_batch_is_not_all_batches():
    """1 is a number of batches to Lightning, 1.0 all of them."""
    assert plan(["data=fake", "trainer.limit_train_batches=1"]).config["trainer.limit_train_batches"] == 1
    assert "trainer.limit_train_batches" not in plan(["data=fake", "trainer.limit_train_batches=1.0"]).config


def test_betas_that_no_schedule_moves_make_another_run_unless_they_are_torchs():
    fixed = ["data=fake", "optimizer=adamw", "+schedule.cycle_momentum=false"]
    assert plan([*fixed, "+optimizer.betas=[0.8,0.9]"]).folder.name != plan(fixed).folder.name
    moved = plan(["data=fake", "optimizer=adamw"])
    assert plan(["data=fake", "optimizer=adamw", "+optimizer.betas=[0.9,0.999]"]).folder == moved.folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The current folder, which is also ``~``, with a folder of images, another, and a link."""
    (tmp_path / "a/set_1").mkdir(parents=True)
    (tmp_path / "a/set 1").mkdir()
    (tmp_path / "link").symlink_to("a/set_1")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_folder_of_images_is_one_run_however_it_is_spelled(home):
    spelled = ["a/set_1", "a/set_1/", "./a//set_1/.", "a/../a/set_1", "~/a/set_1", f"{home}/a/set_1", "link", "~/link/"]
    runs = [plan(["data=image_folder", f"data.root={root}"]) for root in spelled]
    assert {run.folder for run in runs} == {runs[0].folder}
    assert {run.config["data.root"] for run in runs} == {f"{home}/a/set_1"}
    assert all(run.settings.bearing == runs[0].settings.bearing for run in runs)


def test_the_command_of_a_run_on_ones_own_images_names_their_folder_once(home):
    typed = ["data=image_folder", f"data.root={home}/a/set_1", f"output={home}/runs"]
    run = plan(typed)
    command = [*run.overrides, *run.whereabouts]
    assert [command.count(word) for word in typed] == [1, 1, 1]


@pytest.mark.parametrize(
    "typed",
    [
        "logger=wandb logger.project=mine trainer.devices=2",
        "callbacks=lr_monitor +trainer.profiler=simple",
        "data=image_folder data.max_pixels=9000",
    ],
)
def test_the_command_that_repeats_a_run_has_what_bears_on_nothing(home, typed):
    root = [f"data.root={home}/a/set_1"] if "image_folder" in typed else []
    run = plan([*typed.split(), *root])
    assert plan([*run.overrides, *run.whereabouts]).config == run.config


def test_arguments_of_two_groups_of_parameters_have_folders_of_their_own():
    typed = "+param_groups.{0}.params=[classifier] +param_groups.{0}.dampening=0.1 +schedule.cycle_momentum=false"
    a, b = (plan(typed.format(name).split()) for name in "ab")
    assert a.folder != b.folder


def test_two_folders_of_images_never_share_a_run_folder(home):
    folders = {
        plan(["data=image_folder", f"data.root='{root}'"]).folder
        for root in (
            "a/set_1",
            "a/set 1",
            "a_set_1",
            "a/set-1",
            f"{home}/x/a/set_1",
            "/d/birds/small",
            "/d/birds_small",
            f"/{200 * 'x'}/{200 * 'y'}/a",
            f"/{200 * 'x'}/{200 * 'y'}/b",
        )
    }
    assert len(folders) == 9
    assert max(len(folder.name) for folder in folders) <= 255, "file systems allow no more bytes"
