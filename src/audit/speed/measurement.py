"""What a measurement is: rows of figures, and the record of a part that is written to results/speed."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from audit.speed.timing import Timing
from multistage.settings import composition
from multistage.settings.naming import Run
from multistage.storage import durable
from multistage.train import hardware

Row = dict[str, Any]
"""``case`` and ``form`` (what is compared within a case), ``value``, ``unit``; of times ``spread`` and ``n``; more."""

MADE = (":(top,exclude)results", ":(top,exclude)README.md")
"""For git: what measuring itself changes does not make the code another one."""

FORWARD, BOTH = "forward", "forward + backward"


@dataclass(frozen=True)
class Settings:
    """How to measure.

    Attributes:
        device: Where.
        quick: Only that everything works: few small shapes, few turns.
        batches: Of an epoch, that are timed in turns.
        compile: Whether to compile baselines too.
    """

    device: torch.device
    quick: bool = False
    batches: int = 20
    compile: bool = True

    @property
    def accelerator(self) -> str:
        """The device, as it is typed."""
        return f"trainer.accelerator={'gpu' if self.device.type == 'cuda' else 'cpu'}"

    def plan(self, *typed: str) -> Run:
        """The run that ``python train.py TYPED...`` would be, on this device."""
        return composition.plan([*typed, self.accelerator])

    def noise(self, *shape: int, seed: int = 0) -> Tensor:
        """Maps of normally distributed values."""
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)


@dataclass
class Measurement:
    """Of a part.

    Attributes:
        rows: In the order in which they are shown.
        notes: Sentences on what was left out, and why.
    """

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def times(self, case: str, timings: Mapping[str, Timing], **more: Any) -> None:
        """Add the timings of a case, a row a form."""
        for form, timing in timings.items():
            self.add(case, form, timing.median, "s", spread=round(timing.spread, 4), n=len(timing.seconds), **more)

    def add(self, case: str, form: str, value: float, unit: str, **more: Any) -> None:
        """Add a row; `unit` is one of ``s``, ``bytes``, ``of input``, ``images/s``, ``overhead``."""
        self.rows.append({"case": case, "form": form, "value": float(f"{value:.6g}"), "unit": unit, **more})


def record(part: str, settings: Settings, measured: Measurement) -> dict[str, Any]:
    """What is written about a part: rows, and all that they depend on."""
    return {
        "part": part,
        "device": settings.device.type,
        "quick": settings.quick,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": bool(_git("status", "--porcelain", "--untracked-files=no", "--", ":/", *MADE)),
        "precision": "float32 unless a row says otherwise",
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32),
        "compiled": "only forms named so; the time that takes is a row of its own",
        **hardware.describe(),
        "notes": measured.notes,
        "rows": measured.rows,
    }


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a record where `audit.speed.table` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['device']}-{record['part']}.json"
    head = {key: value for key, value in record.items() if key != "rows"}
    rows = ",\n".join(f"  {json.dumps(row)}" for row in record["rows"])
    text = f'{json.dumps(head, indent=1)[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'  # a row a line
    durable.write(path, text.encode())
    return path


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Variables of the environment for as long as something is measured."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def shape_name(shape: Sequence[int]) -> str:
    """As tables show it: [8, 64, 135, 135]."""
    return f"[{', '.join(map(str, shape))}]"


def _git(*arguments: str) -> str | None:
    here = Path(__file__).parent
    try:
        result = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
