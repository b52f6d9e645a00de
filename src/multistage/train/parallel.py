"""Several devices for one run: this process uses the first one and starts a process for each of the others.

Lightning would start the script again, or let this process only wait. Here the process that owns the run's folder, lock
and dashboards trains itself, in `train.py`, sweeps and notebooks alike.
"""

import multiprocessing
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from lightning_fabric.plugins.environments.lightning import LightningEnvironment, find_free_network_port

from multistage.registry.errors import MultistageError
from multistage.train import hardware
from multistage.train.quiet import quiet


class Ranks(LightningEnvironment):
    """Ranks of the processes on this machine, independent of a cluster's environment variables.

    Args:
        rank: From 0; 0 owns the run.
        port: Port of the rendezvous.
    """

    def __init__(self, rank: int, port: int) -> None:
        super().__init__()
        self.rank, self._main_port = rank, port

    @property
    def creates_processes_externally(self) -> bool:
        return True

    @property
    def main_address(self) -> str:
        return "127.0.0.1"

    def local_rank(self) -> int:
        return self.rank

    def node_rank(self) -> int:
        return 0


@contextmanager
def together(devices: int, work: Callable[..., Any], *arguments: Any) -> Iterator[Ranks]:
    """Run `work(ranks, *arguments)` in a process for each further device, while this process does its own part.

    Raises:
        MultistageError: One of the other processes ended.
    """
    port = find_free_network_port() if devices > 1 else 0
    # pickled here, so that tensors go through the pipe: shared memory is scarce in containers
    content = pickle.dumps((work, arguments)) if devices > 1 else b""
    start = multiprocessing.get_context("spawn").Process
    others = [start(target=_join, args=(rank, port, torch.get_num_threads(), content)) for rank in range(1, devices)]
    try:
        for process in others:
            process.start()
        yield Ranks(0, port)
        for process in others:
            process.join()
    except RuntimeError as error:
        if not any(process.exitcode for process in others):
            raise
        raise MultistageError(f"one of the {devices} processes of a run ended; see above") from error
    finally:
        for process in others:
            if process.pid is not None:  # it was started
                process.kill()  # on a milder signal, Lightning would wait for this process
                process.join()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _join(rank: int, port: int, threads: int, content: bytes) -> None:
    """Do the work of a further process; the first process ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    hardware.prepare()
    work, arguments = pickle.loads(content)  # noqa: S301  of the process that started this one
    with quiet():
        work(Ranks(rank, port), *arguments)
