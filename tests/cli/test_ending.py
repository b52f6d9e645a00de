import errno
import os

import pytest

from multistage.cli.ending import exit_code
from multistage.registry.errors import ConfigError, DataError


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ConfigError("seed=x is not allowed"), 2, "error: seed=x is not allowed\n"),
        (DataError("no\nimages"), 3, "error: no\\nimages\n"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a"), 1, "error: [Errno 28] No space left on device: 'a'\n"),
    ],
    ids=["settings", "data", "disk"],
)
def test_what_goes_wrong_is_one_line_and_an_exit_code(capsys, error, code, said):
    def work():
        raise error

    assert exit_code(work) == code
    assert capsys.readouterr().err == said


def test_what_goes_well_ends_with_its_own_code(capsys):
    assert exit_code(lambda: 4) == 4
    assert capsys.readouterr().err == ""


def test_a_fault_of_the_code_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        exit_code(lambda: 1 // 0)
