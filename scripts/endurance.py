"""Kill sweeps repeatedly, let several processes share one, and check that nothing is lost, repeated or changed.

    python scripts/endurance.py                        100 kills at random, 20 aimed at writing, 30 resumed runs
    python scripts/endurance.py --random 5 --aimed 3 --resumed 2 --processes 2

Kills are SIGKILL on real processes with one thread each. They are forked from this process after all imports, so kills
hit the work and not the import of torch. The exit code is 1 if a promise was broken; the script prints what differs.
"""

import argparse
import contextlib
import itertools
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from audit.tables import publish
from audit.tables.results import RECORDS, Experiment
from multistage import readout  # noqa: F401
from multistage.cli import train, workers
from multistage.records import runs
from multistage.records.files import collect, from_file, to_lines
from multistage.records.paper import published
from multistage.settings import composition
from multistage.settings.launchers import Launch
from multistage.storage import durable
from multistage.train import epochs, training

NAME = "endurance"
SWEEP = [
    "-m",
    "data=fake",
    "model=lcn_maxpool,abs_lcn_avgpool",
    "draw=0,1",
    "seed=${draw}",
    "trainer.max_epochs=3",
    "data.validation=5",
    f"name={NAME}",
    "retry_failed=true",  # a run that is killed thrice is done again here
]
RUN = ["data=fake", "model=lcn_maxpool", "trainer.max_epochs=3", "data.validation=5", f"name={NAME}"]

PROVENANCE = ("seconds", "commit", "dirty", "checksum")
"""What may differ between two records of the same run; so may the folder of all runs."""

Sabotage = Callable[[], None]
"""What a process does to itself before it starts, so that it dies at a certain place."""


def die(*_: object, **__: object) -> Any:
    """Be killed here and now."""
    os.kill(os.getpid(), signal.SIGKILL)


def forked(work: Callable[[], int], after: float | None = None) -> int:
    """Do something in a process of its own; killed `after` seconds if it still runs then.

    Returns:
        Its exit code; -9 if it was killed.
    """
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with Path(os.devnull).open("w") as nowhere:
                sys.stdout = sys.stderr = nowhere
                code = work()
        finally:
            os._exit(code)
    deadline = None if after is None else time.monotonic() + after
    while True:
        done, status = os.waitpid(child, 0 if deadline is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if deadline is not None and time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            deadline = None
        time.sleep(0.002)


def do(arguments: list[str], output: Path, sabotage: Sabotage | None = None, after: float | None = None) -> int:
    """`train.py` with these arguments, in a process that may be killed or kill itself."""

    def work() -> int:
        workers.pool = unwatched
        if sabotage is not None:
            sabotage()
        return train.main([*arguments, f"output={output}"])

    return forked(work, after)


def unwatched(count: int, since: float) -> Launch:
    """Runs of a sweep in the sweep's own process, which is the one that is killed."""
    return lambda typed: [workers.here(since, words) for words in typed]


def results(output: Path) -> dict[str, Any]:
    """Everything that may not depend on how often runs were killed: their files, by name, and their table."""
    found: dict[str, Any] = {}
    for path in sorted((output / NAME).rglob(runs.RESULT)):
        record = runs.read(path.parent)
        assert record is not None
        same = {key: value for key, value in record.items() if key not in PROVENANCE}
        same["config"] = {key: value for key, value in record["config"].items() if key != "output"}
        found[str(path.relative_to(output))] = json.dumps(same, sort_keys=True)
        for name in (runs.METRICS, runs.CONFUSION, runs.WEIGHTS):
            found[str((path.parent / name).relative_to(output))] = (path.parent / name).read_bytes()
    return found | {"table": table(output)}


def stamps(output: Path) -> dict[Path, tuple[int, int]]:
    """Which record files there are: path to (inode, time of writing)."""
    paths = (output / NAME).rglob(runs.RESULT)
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def table(output: Path) -> str:
    """The table of all runs as it is published, but for the minutes that they took."""
    records = [{**record, "seconds": {}} for record in collect(output / NAME)]
    return publish.texts(Experiment(output / NAME, records, published()))["table.md"]


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder, for runs."""
    with tempfile.TemporaryDirectory(prefix="endurance-") as folder:
        yield Path(folder) / "runs"


class BrokenError(Exception):
    """A promise was not kept."""


def expect(kept: bool, promise: str) -> None:
    """Stop if a promise is broken."""
    if not kept:
        raise BrokenError(promise)


def expect_same(output: Path, reference: dict[str, Any], promise: str) -> None:
    """Stop, and show what differs, if runs left other results than they should."""
    found = results(output)
    differing = {name: (reference.get(name), found.get(name)) for name in {**reference, **found}}
    lines = [f"{name}:\n  {a!s:.3000}\n  {b!s:.3000}" for name, (a, b) in differing.items() if a != b]
    expect(not lines, "\n".join([promise, *lines]))


def until_done(output: Path, attempt: Callable[[], int], reference: dict[str, Any]) -> None:
    """Start a sweep again and again until it ends by itself; nothing finished may be touched meanwhile."""
    code = -signal.SIGKILL
    while code != 0:
        before = stamps(output)
        code = attempt()
        expect(before.items() <= stamps(output).items(), "a finished run is kept and not repeated")
        expect(code in (0, -signal.SIGKILL), f"a sweep that is started again goes on (it ended with {code})")
    expect_same(output, reference, "every result is that of a sweep that was never killed")


def kill_at_random(count: int, reference: dict[str, Any], seconds: float, chance: random.Random) -> None:
    """Kill sweeps at moments spread evenly over the third of the time that one takes."""
    kills = sweeps = 0

    def attempt() -> int:
        nonlocal kills
        code = do(SWEEP, output, after=chance.uniform(0, seconds / 3) if kills < count else None)
        kills += code != 0
        return code

    while kills < count:
        with scratch() as output:
            until_done(output, attempt, reference)
        sweeps += 1
    print(f"{kills} kills at random over {sweeps} sweeps: nothing lost, repeated or changed", flush=True)


def aimed(name: str, stage: str, number: int) -> Sabotage:
    """Die while the file `name` is written for the `number`-th time: half written, written but not renamed, renamed."""

    def sabotage() -> None:
        whole, calls = durable.write, itertools.count(1)

        def write(path: Path, content: bytes) -> None:
            if path.name == name and next(calls) == number:
                if stage == "half":
                    path.with_name(f".{path.name}.new").write_bytes(content[: len(content) // 2])
                    die()
                setattr(*((os, "fsync") if stage == "written" else (durable, "_flush_folder")), die)
            whole(path, content)

        durable.write = write

    return sabotage


def kill_at_writing(count: int, reference: dict[str, Any]) -> None:
    """Kill sweeps, and the making of tables, while they write."""
    targets = [
        (name, stage, number)
        for number in (1, 2, 3)
        for stage in ("half", "written", "renamed")
        for name in (runs.CHECKPOINT, runs.RESULT, "table.md")
    ]
    for name, stage, number in (targets * count)[:count]:
        with scratch() as output:
            if name == "table.md":
                expect(do(SWEEP, output) == 0, "a sweep ends by itself")
                target = output.parent / "results" / NAME
                expect(make_tables(output, target, aimed(name, stage, 1)) == -signal.SIGKILL, "it was killed")
                expect(make_tables(output, target) == 0, "tables can be made again")
                whole = publish.texts(Experiment(target, collect(output / NAME), published()))[name]
                expect((target / name).read_text(encoding="utf-8") == whole, "the table is whole")
            else:
                expect(do(SWEEP, output, aimed(name, stage, number)) == -signal.SIGKILL, f"{name} is written")
                until_done(output, lambda: do(SWEEP, output), reference)
    print(f"{count} kills aimed at the writing of checkpoints, records and tables: nothing lost or torn", flush=True)


def make_tables(output: Path, target: Path, sabotage: Sabotage | None = None) -> int:
    """Publish the runs of a sweep, in a process that may kill itself."""

    def work() -> int:
        if sabotage is not None:
            sabotage()
        target.mkdir(parents=True, exist_ok=True)
        durable.write(target / RECORDS, to_lines(collect(output / NAME)).encode())
        for name, text in publish.texts(Experiment(target, from_file(target / RECORDS), published())).items():
            durable.write(target / name, text.encode())
        return 0

    return forked(work)


def at_call(owner: Any, method: str, number: int, after: bool) -> Sabotage:
    """Die at the `number`-th call of a method, before or after it has done its work."""

    def sabotage() -> None:
        original, calls = getattr(owner, method), itertools.count(1)

        def called(*arguments: Any, **named: Any) -> Any:
            is_last = next(calls) == number
            if is_last and not after:
                die()
            result = original(*arguments, **named)
            if is_last:
                die()
            return result

        setattr(owner, method, called)

    return sabotage


def kill_points() -> list[tuple[str, Sabotage]]:
    """Thirty places of a run with three epochs of four batches: start, middle and end of epochs, and the end of all."""
    step, end = (training.Classifier, "training_step"), (epochs.EveryEpoch, "on_train_epoch_end")
    moments = {False: "before", True: "after"}
    return [
        *(
            (f"batch {number}, {moment} its loss", at_call(*step, number, after))
            for number in range(1, 13)
            for after, moment in moments.items()
        ),
        *(
            (f"end of epoch {number}, {moment} its checkpoint", at_call(*end, number, after))
            for number in (1, 2)
            for after, moment in moments.items()
        ),
        ("after the last checkpoint", at_call(*end, 3, after=True)),
        ("before the record", at_call(runs, "finish", 1, after=False)),
    ]


def resume(count: int) -> None:
    """Kill a run at `count` of thirty places and go on: every byte as if it had never been killed."""
    points = kill_points()
    with scratch() as output:
        expect(do(RUN, output) == 0, "a run ends by itself")
        reference = results(output)
    for name, sabotage in points[:: max(1, len(points) // count)][:count]:
        with scratch() as output:
            expect(do(RUN, output, sabotage) == -signal.SIGKILL, f"the run was killed at: {name}")
            expect(do(RUN, output) == 0, "a run that was killed goes on")
            expect_same(output, reference, f"resumed equals uninterrupted, killed at: {name}")
    print(
        f"{count} runs resumed after a kill at as many places: equal to the uninterrupted one, to the bit", flush=True
    )


def share(processes: int, reference: dict[str, Any]) -> None:
    """Several processes do one sweep, each in an order of its own: no run twice, and the same results."""
    with scratch() as output:
        done = output.parent / "done"

        def count() -> None:
            finish = runs.finish

            def counted(folder: Path, record: runs.Record) -> runs.Record:
                with done.open("a", encoding="utf-8") as file:
                    file.write(f"{folder}\n")
                return finish(folder, record)

            runs.finish = counted

        orders = [SWEEP, [word.replace("0,1", "1,0") for word in SWEEP], sorted(SWEEP, reverse=True)]
        children = []
        for number in range(processes):
            child = os.fork()
            if child == 0:
                os._exit(do(orders[number % len(orders)], output, count))
            children.append(child)
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        expect(codes == [0] * processes, f"all processes end well (they ended with {codes})")
        folders = done.read_text(encoding="utf-8").split()
        expect(len(folders) == len(set(folders)) == len(stamps(output)), "no run is done twice")
        expect_same(output, reference, "results depend on neither order nor the number of processes")
    print(f"{processes} processes shared a sweep: no run twice, results as of one process", flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, kill, report; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--random", type=int, default=100, metavar="N", help="kills at random moments (default: 100)")
    parser.add_argument(
        "--aimed", type=int, default=20, metavar="N", help="kills while a file is written (default: 20)"
    )
    parser.add_argument("--resumed", type=int, default=30, metavar="N", help="places to resume from, 1 to 30")
    parser.add_argument("--processes", type=int, default=3, help="processes that share a sweep (default: 3)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the random moments")
    options = parser.parse_args(arguments)
    if not 1 <= options.resumed <= 30:
        parser.error(f"--resumed {options.resumed} is not 1 to 30")
    torch.set_num_threads(1)
    composition.plan(RUN)  # which imports Hydra
    try:
        resume(options.resumed)
        with scratch() as output:
            started = time.monotonic()
            expect(do(SWEEP, output) == 0, "a sweep ends by itself")
            seconds, reference = time.monotonic() - started, results(output)
            for file in list(stamps(output))[::2]:
                shutil.rmtree(file.parent)
            until_done(output, lambda: do(SWEEP, output), reference)
        share(options.processes, reference)
        kill_at_random(options.random, reference, seconds, random.Random(options.seed))
        kill_at_writing(options.aimed, reference)
    except BrokenError as promise:
        print(f"broken: {promise}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
