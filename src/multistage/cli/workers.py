"""Worker processes for the runs of a sweep; if one dies, its run has failed.

A worker is `python -m multistage.cli.workers`. It reads the command line of a run as one line of JSON, and answers each
line with the outcome. When its input ends, the worker ends too: normally after `END`; without `END` the sweep was
killed, which counts against the run (`records.beginnings`).
"""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any

from multistage.cli.sweep import Outcome, do, mark
from multistage.records import beginnings
from multistage.settings import composition
from multistage.settings.launchers import Launch

COMMAND = [sys.executable, "-m", "multistage.cli.workers"]

END = "null"
"""The last line of input."""

PATIENCE = 2
"""Seconds that a worker has to stop once its sweep has ended."""

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

BLOWS = {"SIGKILL": "was killed, as the system does when memory runs out"}
BLOWS |= dict.fromkeys(("SIGSEGV", "SIGBUS", "SIGABRT", "SIGFPE", "SIGILL"), "crashed")
"""Signals that mean that the run failed; others (SIGTERM) are requests to stop."""


class Worker:
    """A process that does one run after another; started on demand, and again after its death.

    Args:
        since: Start of the sweep, seconds since the epoch.
        environment: Environment of the process.
    """

    def __init__(self, since: float, environment: dict[str, str]) -> None:
        self.since, self.environment, self.ended = since, environment, False
        self.process: subprocess.Popen[str] | None = None

    def do(self, typed: Sequence[str]) -> Outcome:
        """Do a run in the process; if the process is killed, mark the run as failed."""
        if self.ended:
            return "interrupted"
        if self.process is None:
            environment = {**self.environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            pipe = subprocess.PIPE
            self.process = subprocess.Popen(COMMAND, stdin=pipe, stdout=pipe, text=True, env=environment)
        answer = ""
        with suppress(BrokenPipeError):
            print(json.dumps([self.since, list(typed)]), file=self._input, flush=True)
            assert self.process.stdout is not None
            answer = self.process.stdout.readline()
        if answer:
            outcome: Outcome = json.loads(answer)
            return outcome
        code = self.process.wait()
        self.close()
        return "interrupted" if self.ended else _death(code, typed)

    def close(self) -> None:
        """Clean up after a process that has ended."""
        process, self.process = self.process, None
        for pipe in () if process is None else (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()

    @property
    def _input(self) -> IO[str]:
        assert self.process is not None
        assert self.process.stdin is not None
        return self.process.stdin

    def end(self) -> None:
        """Tell the process to end, even during a run; finished runs stay."""
        self.ended = True
        if self.process is not None:
            with suppress(BrokenPipeError):
                print(END, file=self._input, flush=True)
                self._input.close()

    def wait(self) -> None:
        """Wait until the process has ended."""
        if (process := self.process) is not None:
            try:
                process.wait(PATIENCE + 2)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def pool(count: int, since: float) -> Launch:
    """Return a function that does runs in `count` parallel workers.

    Args:
        count: At least 1. Several share the cores, unless ``OMP_NUM_THREADS`` is set.
        since: Start of the sweep, seconds since the epoch.
    """

    def launch(typed: Sequence[Sequence[str]]) -> list[Outcome]:
        crew = [Worker(since, _environment(count)) for _ in range(min(count, len(typed)))]
        free: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        for worker in crew:
            free.put(worker)

        def done(words: Sequence[str]) -> Outcome:
            worker = free.get()
            try:
                return worker.do(words)
            finally:
                free.put(worker)

        threads = ThreadPoolExecutor(len(crew))
        try:
            return list(threads.map(done, typed))
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for worker in crew:
                worker.end()
            for worker in crew:
                worker.wait()
            threads.shutdown()
            for worker in crew:
                worker.close()

    return launch


def alone(since: float, typed: Sequence[str]) -> Outcome:
    """Do one run in its own worker; for jobs of a cluster."""
    return pool(1, since)([typed])[0]


def _environment(count: int) -> dict[str, str]:
    if count == 1:
        return dict(os.environ)
    import joblib

    return {**dict.fromkeys(THREADS, str(max(1, joblib.cpu_count() // count))), **os.environ}


def _death(code: int, typed: Sequence[str]) -> str:
    """Return why a worker died during a run, and whether the run is to blame."""
    name = f"signal {-code}" if code < 0 else f"exit code {code}"
    with suppress(ValueError):  # an exit code, or a real-time signal, which has no name
        name = signal.Signals(-code).name
    if name not in BLOWS:
        return f"its process ended ({name})"
    reason = f"its process {BLOWS[name]} ({name})"
    mark(composition.plan(typed), reason)
    return reason


def here(since: float, typed: Sequence[str]) -> Outcome:
    """Do a run in this process."""
    from multistage.cli.one import execute

    return do(composition.plan(typed), lambda run: execute(run, "none"), since)


def main() -> None:
    """Be a worker."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries is not an answer
    for name in ("SIGINT", "SIGHUP"):  # Ctrl-C is for the sweep, which ends this process
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=[requests], daemon=True).start()
    with suppress(KeyboardInterrupt, BrokenPipeError):
        while True:
            since, typed = requests.get()
            print(json.dumps(here(since, typed)), file=answers, flush=True)


def _listen(requests: "queue.SimpleQueue[Any]") -> None:
    """Pass requests on; at the end of the input stop the work, within `PATIENCE` seconds."""
    with os.fdopen(os.dup(0), "rb", buffering=0) as lines:  # a buffer's lock would block the exit
        for line in lines:
            if (request := json.loads(line)) is None:
                beginnings.end()
                break
            requests.put(request)
        else:
            beginnings.keep()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(PATIENCE)
    os._exit(1)


if __name__ == "__main__":
    main()
