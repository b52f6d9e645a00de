"""What the terminal says of a run that is finished and came to nothing: it diverged, or does no more than guess."""

import pytest

from multistage.cli import train


@pytest.mark.parametrize(
    ("protocol", "diverged", "guesses"),
    [
        (["data=fake", "optimizer.lr=1e6", "trainer.max_epochs=1"], True, True),
        (["data=fake", "optimizer.lr=1e6", "trainer.max_epochs=2"], True, True),
        (["data=fake", "optimizer.lr=1e-9", "trainer.max_epochs=2"], False, True),
        (["data=fake", "trainer.max_epochs=1"], False, False),
        (["data=fake", "trainer.max_epochs=1", "refine=false"], False, False),
        (["data=digits", "trainer.max_epochs=1"], False, False),
    ],
)
def test_a_run_that_diverged_or_guesses_says_so(command, tmp_path, protocol, diverged, guesses):
    result = command(train, *protocol, f"output={tmp_path}")
    assert result.code == 0, result.errors
    assert result.output.count("\ndiverged       its training loss ended at") == diverged
    assert result.output.count("not clearly better than chance (25.0 % for 4 classes) with ") == guesses


@pytest.mark.usefixtures("in_this_process")
def test_each_line_of_a_sweep_says_what_diverged_or_guesses(command, tmp_path):
    arguments = ["data=fake", "trainer.max_epochs=1", "optimizer.lr=0.02,1e-9,1e6"]
    result = command(train, "-m", *arguments, f"output={tmp_path}")
    assert result.code == 0, result.errors
    _, *lines, header = result.output.splitlines()[:5]
    rows = result.output.splitlines()[5:8]
    guesses, diverged = (
        "not clearly better than chance (25.0 % for 4 classes) with 40 test images",
        "diverged: its training loss ended at",
    )
    said = {"lr-0.02": " %  ", "lr-1e-09": f" %, {guesses}  ", "lr-1000000": f" %, {guesses}, {diverged} "}
    assert [said[line.split()[1].partition("epochs-1-")[2]] in line for line in lines] == 3 * [True]
    assert header.split()[-2:] == ["seconds", "remarks"]
    said = {
        "lr-0.02": "",
        "lr-1e-09": "not clearly better than chance",
        "lr-1000000": "diverged, not clearly better than chance",
    }
    remarks = {row.split()[0].partition("epochs-1-")[2]: " ".join(row.split()[5:]) for row in rows}
    assert remarks == said
