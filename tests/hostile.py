"""A finished run, and ways to make a folder that lies, by its files: every checksum is made right again."""

import json
import os
import pickle
import struct

import numpy as np
from safetensors.numpy import load, save

from multistage.records.runs import RESULT, WEIGHTS
from multistage.storage import durable

KERNELS = "stages.0.filter_bank.kernels"
CONNECTIONS = "stages.1.filter_bank.connections"
ESCAPE = "\x1b]0;taken\x07"


def stamped(folder, record):
    """Write a record with the right checksum, whatever it holds."""
    plain = {key: value for key, value in record.items() if key != durable.CHECKSUM}
    (folder / RESULT).write_text(json.dumps(durable.stamp(plain)))


def with_record(change):
    """What a function makes of the record."""

    def make(folder):
        record = json.loads((folder / RESULT).read_bytes())
        stamped(folder, change(record) or record)

    return make


def inside(record, path):
    """What holds the field at a place that is named with slashes, and the field's name or number."""
    *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    for key in parents:
        record = record[key]
    return record, last


def with_field(path, value):
    """A field holds another value."""

    def change(record):
        place, last = inside(record, path)
        place[last] = value

    return with_record(change)


def without_field(path):
    def change(record):
        place, last = inside(record, path)
        del place[last]

    return with_record(change)


def with_config(**values):
    """Settings hold other values; run names them as its folder would."""
    return with_record(lambda record: record["config"].update({k.replace("__", "."): v for k, v in values.items()}))


def with_bytes(content):
    """The weights are other bytes, of which the record has the checksum."""

    def make(folder):
        (folder / WEIGHTS).write_bytes(content)
        with_field("weights_sha256", durable.digest(content))(folder)

    return make


def with_tensors(change):
    """What a function makes of the weights, by name."""

    def make(folder):
        tensors = load((folder / WEIGHTS).read_bytes())
        with_bytes(save(change(tensors) or tensors))(folder)

    return make


def with_tensor(name, change):
    """A tensor becomes another."""
    return with_tensors(lambda tensors: tensors.update({name: np.ascontiguousarray(change(tensors[name]))}))


def with_file(name, make_file):
    """A file of the folder is replaced by something else of that name."""

    def make(folder):
        (folder / name).unlink()
        make_file(folder / name)

    return make


def with_text(content):
    """The record is this text."""
    return with_file(RESULT, lambda path: path.write_text(content))


def filled(name, index, value):
    """A tensor with another value at a place."""

    def change(tensor):
        changed = tensor.copy()
        changed.flat[index] = value
        return changed

    return with_tensor(name, change)


def header(entries, body=b""):
    """A safetensors file with a header of our making."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text + body


def sparse(size):
    """A file that claims a size and takes no room."""

    def make(path):
        with path.open("wb") as file:
            file.truncate(size)

    return make


class Payload:
    def __reduce__(self):
        return (os.system, ("touch /tmp/hostile-was-here",))


def huge_header(folder):
    content = struct.pack("<Q", 100_000_000) + b"{" + b" " * 99_999_998 + b"}"
    with_bytes(content)(folder)


def terabytes(folder):
    """A network of terabytes whose file has the size that it claims, sparse, with the right header."""
    classes, size = 4, 2**40
    entries = {"classifier.weight": {"dtype": "F32", "shape": [classes, size], "data_offsets": [0, 4 * classes * size]}}
    content = header(entries)
    with (folder / WEIGHTS).open("wb") as file:
        file.write(content)
        file.truncate(len(content) + 2**42)


METADATA = {"__metadata__": [1], KERNELS: {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}
PICKLE = pickle.dumps(Payload())

TENSORS = {
    "missing": with_tensors(lambda t: t.pop(KERNELS) is None),
    "no classifier": with_tensors(lambda t: t.pop("classifier.weight") is None),
    "no bias": with_tensors(lambda t: t.pop("classifier.bias") is None),
    "no connections": with_tensors(lambda t: t.pop(CONNECTIONS) is None),
    "none at all": with_tensors(lambda t: t.clear()),
    "extra": with_tensors(lambda t: t.update(extra=np.zeros(3, np.float32))),
    "extra classifier": with_tensors(lambda t: t.update({"classifier.more": np.zeros(3, np.float32)})),
    "extra escape": with_tensors(lambda t: t.update({f"a\n{ESCAPE}": np.zeros(3, np.float32)})),
    "name of 100 kB": with_tensors(lambda t: t.update({"x" * 100_000: np.zeros(3, np.float32)})),
    "one more map": with_tensor(KERNELS, lambda v: np.concatenate([v, v[:1]])),
    "flat": with_tensor(KERNELS, lambda v: v.reshape(-1)),
    "transposed": with_tensor("classifier.weight", lambda v: v.T),
    "one class less": with_tensor("classifier.weight", lambda v: v[:-1]),
    "empty": with_tensor(KERNELS, lambda v: v[:0]),
    "float64": with_tensor(KERNELS, lambda v: v.astype(np.float64)),
    "float16": with_tensor(KERNELS, lambda v: v.astype(np.float16)),
    "whole": with_tensor(KERNELS, lambda v: v.astype(np.int64)),
    "logical": with_tensor(KERNELS, lambda v: v.astype(bool)),
    "connections as floats": with_tensor(CONNECTIONS, lambda v: v.astype(np.float32)),
    "NaN": filled(KERNELS, 0, np.nan),
    "infinite": filled("classifier.bias", 0, np.inf),
    "connection below": filled(CONNECTIONS, 0, -1),
    "connection beyond": filled(CONNECTIONS, 0, 2**40),
    "connection just beyond": filled(CONNECTIONS, 0, 64),
}

FILES = {
    "weights empty": with_bytes(b""),
    "weights zeros": with_bytes(bytes(100)),
    "weights pickle": with_bytes(PICKLE),
    "header of 100 MB": huge_header,
    "header of 2**63": with_bytes(struct.pack("<Q", 2**63) + b"{}"),
    "header no JSON": with_bytes(header(b"{" * 50)),
    "header deep": with_bytes(header(b"[" * 100_000)),
    "header with metadata of another kind": with_bytes(header(METADATA)),
    "header of texts": with_bytes(header({KERNELS: "text"})),
    "header without offsets": with_bytes(header({KERNELS: {"dtype": "F32", "shape": [1]}})),
    "header with text offsets": with_bytes(
        header({KERNELS: {"dtype": "F32", "shape": [1], "data_offsets": ["a", "b"]}})
    ),
    "header of terabytes": with_bytes(
        header({KERNELS: {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}})
    ),
    "terabytes of file": terabytes,
    "weights cut": lambda folder: with_bytes((folder / WEIGHTS).read_bytes()[:-4])(folder),
    "weights longer": lambda folder: with_bytes((folder / WEIGHTS).read_bytes() + bytes(4))(folder),
    "weights missing": with_file(WEIGHTS, lambda path: None),
    "weights folder": with_file(WEIGHTS, lambda path: path.mkdir()),
    "weights FIFO": with_file(WEIGHTS, os.mkfifo),
    "weights device": with_file(WEIGHTS, lambda path: path.symlink_to("/dev/zero")),
    "weights link to FIFO": with_file(WEIGHTS, lambda path: (os.mkfifo(f"{path}.f"), path.symlink_to(f"{path}.f"))),
    "weights link to nothing": with_file(WEIGHTS, lambda path: path.symlink_to("nowhere")),
    "weights link in a circle": with_file(WEIGHTS, lambda path: path.symlink_to(path.name)),
    "weights of another": with_file(WEIGHTS, lambda path: path.symlink_to("/etc/passwd")),
    "record FIFO": with_file(RESULT, os.mkfifo),
    "record device": with_file(RESULT, lambda path: path.symlink_to("/dev/zero")),
    "record link to nothing": with_file(RESULT, lambda path: path.symlink_to("nowhere")),
    "record link in a circle": with_file(RESULT, lambda path: path.symlink_to(path.name)),
    "record of another": with_file(RESULT, lambda path: path.symlink_to("/etc/passwd")),
    "record of a terabyte": with_file(RESULT, sparse(2**40)),
    "record empty": with_text(""),
    "record pickle": with_file(RESULT, lambda path: path.write_bytes(PICKLE)),
    "record list": with_text("[]"),
    "record deep": with_text('{"a":' * 100_000 + "1" + "}" * 100_000),
    "record deep list": with_text('{"a":' + "[" * 900 + "]" * 900 + "}"),
    "record of digits": with_text('{"a": ' + "9" * 1_000_000 + "}"),
    "record NaN": with_text('{"a": NaN}'),
}
