"""A cache that several users have, or one of them alone."""

import multiprocessing
import os

import pytest

from multistage.storage.cache import cached

NOBODY = 65534


def as_another_user(function):
    """What a function returns to a user who owns nothing here."""
    if os.getuid() != 0:
        pytest.skip("only root can become another user")
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    def become():
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        answers.put(function())

    process = context.Process(target=become)
    process.start()
    process.join()
    assert process.exitcode == 0
    return answers.get()


@pytest.fixture
def reachable(cache_folder):
    """Other users may reach the folder where the cache lies."""
    changed = [parent for parent in cache_folder.parents if parent.stat().st_mode & 0o5 != 0o5]
    modes = [parent.stat().st_mode for parent in changed]
    for parent in changed:
        parent.chmod(0o755)
    yield cache_folder
    for parent, mode in zip(changed, modes, strict=True):
        parent.chmod(mode)


@pytest.mark.parametrize("limited", [False, True])
def test_a_cache_folder_of_another_user_is_done_without(build, reachable, caplog, limited):
    cached("set", "source", build, limited=limited)
    reachable.chmod(0o700)

    def make():
        found = [cached("set", "source", build, limited=limited)["labels"].item() for _ in range(2)]
        return found, caplog.text

    found, said = as_another_user(make)
    assert found == [2, 3]
    assert said.count("cannot be written") == 1
    assert "damaged" not in said


def test_what_a_user_makes_others_may_read(build, reachable, caplog):
    old = os.umask(0o022)
    try:
        cached("set", "source", build)
    finally:
        os.umask(old)
    assert {path.stat().st_mode & 0o777 for path in reachable.iterdir()} == {0o644}
    assert as_another_user(lambda: (cached("set", "source", build)["labels"].item(), caplog.text)) == (1, "")
    next(reachable.glob("*.safetensors")).chmod(0o600)
    found, said = as_another_user(lambda: (cached("set", "source", build)["labels"].item(), caplog.text))
    assert found == 2
    assert "damaged" not in said
