"""Several devices on one run: this process is the first, and starts one more for each further device.

Lightning would start the script again, or leave this process to wait for others; here the process that owns the run's
folder, its lock and its dashboards trains itself, from `train.py`, sweeps and notebooks alike.
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
    """Which of the processes on this machine a process is, whatever a cluster's variables say.

    Args:
        rank: From 0; 0 owns the run.
        port: On which they meet.
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
    """Have `work(ranks, *arguments)` done by a process for each further device, while this one does its own part.

    Raises:
        MultistageError: One of the others ended.
    """
    port = find_free_network_port() if devices > 1 else 0
    # pickled here, so that tensors travel through the pipe: shared memory is scarce in containers
    content = pickle.dumps((work, arguments)) if devices > 1 else b""
    start = multiprocessing.get_context("spawn").Process
    others = [start(target=_join, args=(rank, port, torch.get_num_threads(), content)) for rank in range(1, devices)]
    for process in others:
        process.start()
    try:
        yield Ranks(0, port)
        for process in others:
            process.join()
    except RuntimeError as error:
        if not any(process.exitcode for process in others):
            raise
        raise MultistageError(f"one of the {devices} processes of a run ended; see above") from error
    finally:
        for process in others:
            process.kill()  # Lightning's answer to a milder signal would be to wait for this one
            process.join()
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


def _join(rank: int, port: int, threads: int, content: bytes) -> None:
    """What a further process does; it is ended by the first."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(threads)
    hardware.prepare()
    work, arguments = pickle.loads(content)  # noqa: S301  of the process that started this one
    with quiet():
        work(Ranks(rank, port), *arguments)
