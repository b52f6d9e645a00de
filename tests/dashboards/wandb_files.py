"""What wandb's own reader finds in the files of an offline run."""

import json
import subprocess
import sys
from pathlib import Path

WANDB = Path(sys.executable).with_name("wandb")


def inspect(folder, *options):
    """The records of the only run in a folder; with ``--summary`` what they come to."""
    (path,) = folder.rglob("*.wandb")
    command = [WANDB, "leet", "inspect", *options, "--json", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return json.loads(lines) if options else [json.loads(line) for line in lines.splitlines()]


def rows(records):
    """The rows of its history, without what wandb adds."""
    items = [record["history"]["item"] for record in records if record["type"] == "history"]
    return [{name: value for name, value in item.items() if not name.startswith("_")} for item in items]
