"""The benchmark's `Bench`, which parts fill with rows, and its record in results/speed.

A part is a function that adds rows to a bench, mostly by `Bench.compare`: named forms of the same work, in turns.
"""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from audit.speed.timing import clocked, in_turns
from multistage.settings import composition
from multistage.settings.naming import Run
from multistage.storage import durable
from multistage.train import hardware

Row = dict[str, Any]
"""``case``, ``form`` (compared within a case), ``value``, ``unit``; for times ``spread`` and ``n``; others."""

MADE = (":(top,exclude)results", ":(top,exclude)README.md", ":(top,exclude)docs")
"""For git: files that the benchmark itself writes do not count as changed code."""

FORWARD, BOTH = "forward", "forward + backward"


@dataclass
class Bench:
    """Options and results of a part.

    Attributes:
        device: Device to measure on.
        quick: Only check that everything works: few small shapes, few turns.
        compile: Whether to compile baselines too.
        rows: Rows in the order in which they are shown.
        notes: Sentences that say what was left out, and why.
    """

    device: torch.device
    quick: bool = False
    compile: bool = True
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def on_cuda(self) -> bool:
        """Return whether the device is a GPU."""
        return self.device.type == "cuda"

    @property
    def accelerator(self) -> str:
        """Return the device as a command-line setting."""
        return f"trainer.accelerator={'gpu' if self.on_cuda else 'cpu'}"

    def plan(self, *typed: str) -> Run:
        """Return the configuration of ``python train.py TYPED...`` on this device."""
        return composition.plan([*typed, self.accelerator])

    def noise(self, *shape: int, seed: int = 0) -> Tensor:
        """Draw maps of normally distributed values."""
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(self.device)

    def compare(
        self,
        case: str,
        forms: Mapping[str, Callable[[], object]],
        turns: int = 15,
        seconds: float = 60,
        before: Callable[[], object] | None = None,
        **more: Any,
    ) -> None:
        """Time forms of the same work in turns, after two warm-up calls of each, and add a row per form.

        Args:
            case: Description of the work.
            forms: Functions by name.
            turns: Largest number of turns; a fifth of it if quick.
            seconds: No turn starts after this time, or after 5 s if quick.
            before: Called before each timed call; not timed.
            more: Additional entries of the rows.
        """
        for run in [*forms.values()] * 2:
            run()
        if self.quick:
            turns, seconds = turns // 5, 5
        clocks = {form: clocked(run, before) for form, run in forms.items()}
        self.times(case, in_turns(clocks, turns, seconds), **more)

    def times(self, case: str, taken: Mapping[str, Sequence[float]], **more: Any) -> None:
        """Add a row per form: median seconds, and half the interquartile range as a fraction of it."""
        for form, seconds in taken.items():
            low, median, high = np.quantile(seconds, (0.25, 0.5, 0.75)).tolist()
            self.add(case, form, median, "s", spread=round((high - low) / 2 / median, 4), n=len(seconds), **more)

    def add(self, case: str, form: str, value: float, unit: str, **more: Any) -> None:
        """Add a row; `unit` is one of ``s``, ``bytes``, ``of input``, ``images/s``, ``overhead``."""
        self.rows.append({"case": case, "form": form, "value": float(f"{value:.6g}"), "unit": unit, **more})


def record(part: str, bench: Bench) -> dict[str, Any]:
    """Return the record of a part: its rows and all that they depend on; what Git cannot tell is None."""
    changes = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", *MADE)
    return {
        "part": part,
        "device": bench.device.type,
        "quick": bench.quick,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "dirty": None if changes is None else bool(changes),
        "precision": "float32 unless a row says otherwise",
        "tf32": bool(torch.backends.cuda.matmul.allow_tf32 or torch.backends.cudnn.allow_tf32),
        "compiled": "only forms named so; the time that takes is a row of its own",
        **hardware.describe(),
        "notes": bench.notes,
        "rows": bench.rows,
    }


def write(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write a record where `audit.speed.table` finds it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{record['device']}-{record['part']}.json"
    head = {key: value for key, value in record.items() if key != "rows"}
    rows = ",\n".join(f"  {json.dumps(row)}" for row in record["rows"])
    text = f'{json.dumps(head, indent=1)[:-2]},\n "rows": [\n{rows}\n ]\n}}\n'  # one row per line
    durable.write(path, text.encode())
    return path


def _git(*arguments: str) -> str | None:
    here = Path(__file__).parent
    try:
        result = subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True)
    except OSError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None
