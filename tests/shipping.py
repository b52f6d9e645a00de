"""A finished run as a shipped model, without its tests: the weights in half precision or not, and the record of it."""

import json
import shutil

import torch
from hostile import stamped
from safetensors.torch import load, save

from multistage.records.runs import RESULT, WEIGHTS
from multistage.records.schema import SETTINGS
from multistage.storage import durable
from multistage.train.restore import halved


def ship(run, folder, half=True):
    """Copy a run's weights and record as a shipped model's."""
    folder.mkdir(parents=True)
    record = json.loads((run / RESULT).read_bytes())
    shutil.copy(run / WEIGHTS, folder / WEIGHTS)
    if half:
        tensors = {name: halved(value) for name, value in load((run / WEIGHTS).read_bytes()).items()}
        (folder / WEIGHTS).write_bytes(save(tensors, {SETTINGS: record[SETTINGS]}))
    content = (folder / WEIGHTS).read_bytes()
    name = "/".join(folder.parts[-2:])
    precision = "float16" if half else "float32"
    stored = {"name": name, "precision": precision, "weights_sha256": durable.digest(content), "bytes": len(content)}
    stamped(folder, {**record, "shipped": stored})


def with_tensors(folder, change):
    """The weights become what a function makes of them; every checksum is made right again."""
    tensors = load((folder / WEIGHTS).read_bytes())
    record = json.loads((folder / RESULT).read_bytes())
    content = save(change(tensors) or tensors, {SETTINGS: record[SETTINGS]})
    (folder / WEIGHTS).write_bytes(content)
    stamped(folder, {**record, "shipped": {**record["shipped"], "weights_sha256": durable.digest(content)}})


def rounded(value):
    """A tensor as half precision keeps it, in float32."""
    return value.half().float() if value.ndim > 1 and value.dtype == torch.float32 else value
