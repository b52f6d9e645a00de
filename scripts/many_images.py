"""Measure time and memory of a run on many images, over all its processes.

python scripts/many_images.py --images 20000 200000        one line each: images, seconds, processor seconds, GB
python scripts/many_images.py augment=photographs --images 20000           settings come first

Generates small PNG files in ten class folders of a temporary folder and trains on them for one epoch.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = 10
"""Folders; images of one are stripes of one direction, in noise."""

EVERY = 0.2
"""Seconds between two looks at memory."""

SMALL = (
    *("stages=1", "geometry.stage1.maps=8", "geometry.stage1.kernel=5", "geometry.stage1.window=8"),
    *("geometry.stage1.step=8", "trainer.max_epochs=1", "trainer.accelerator=cpu"),
)
"""A network that takes little beside the images."""


def main() -> int:
    """Generate, train and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[20_000], help="how many")
    parser.add_argument("--size", type=int, default=64, help="side of the images, pixels")
    parser.add_argument("--colour", choices=("gray", "rgb"), default="gray")
    parser.add_argument("--folder", type=Path, help="parent of the temporary folder")
    parser.add_argument("typed", nargs="*", metavar="SETTING", help="settings of train.py, e.g. augment=photographs")
    options = parser.parse_args()
    for count in options.images:
        with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
            folder = Path(temporary)
            generate(folder / "images", count, options.size, options.colour)
            data = [f"data.root={folder / 'images'}", f"data.image_size={options.size}", f"output={folder / 'runs'}"]
            before = processors()
            seconds, most = measured(["data=image_folder", *data, *SMALL, *options.typed], folder / "cache")
            taken = f"{seconds:7.1f} s  {processors() - before:7.1f} s on processors  {most / 1e9:5.2f} GB"
            print(f"{count:>8,} images  {taken}  {phases(folder / 'runs')}", flush=True)
    return 0


def generate(root: Path, count: int, size: int, colour: str) -> None:
    """Write `count` images below a folder, the same ones each time."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:size, :size]
    shape = (size, size) if colour == "gray" else (size, size, 3)
    for label in range(CLASSES):
        (root / f"class{label}").mkdir(parents=True)
    for number in range(count):
        label = number % CLASSES
        angle = np.pi * label / CLASSES
        stripes = np.sin((rows * np.sin(angle) + columns * np.cos(angle)) / 3 + random.uniform(0, 7))
        noise = random.integers(0, 64, shape)
        pixels = noise + (96 + 64 * stripes.reshape(*stripes.shape, *[1] * (len(shape) - 2))).astype(np.int64)
        file = root / f"class{label}" / f"{number:06}.png"
        Image.fromarray(pixels.astype(np.uint8)).save(file, compress_level=1)


def measured(typed: list[str], cache: Path) -> tuple[float, int]:
    """Seconds of a run, and the most bytes that its processes held together.

    A page that several share counts once (PSS); pages of files that are mapped count, though the system can have them.
    """
    environment = {**os.environ, "MULTISTAGE_CACHE": str(cache)}
    started, most = time.perf_counter(), 0
    script = Path(__file__).parents[1] / "train.py"
    with subprocess.Popen([sys.executable, script, *typed], env=environment, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None:
            most = max(most, sum(map(held, family(run.pid))))
            time.sleep(EVERY)
    if run.returncode:
        sys.exit(run.returncode)
    return time.perf_counter() - started, most


def processors() -> float:
    """Seconds of processors that children and theirs have taken, which others that use the machine hardly change."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def family(process: int) -> Iterator[int]:
    """A process, its children, and theirs."""
    yield process
    try:
        for task in Path(f"/proc/{process}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from family(int(child))
    except OSError:  # it ended meanwhile
        return


def held(process: int) -> int:
    """Bytes of a process; of pages that n processes share, an nth."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def phases(runs: Path) -> str:
    """Seconds of each part of the run."""
    (result,) = runs.rglob("result.json")
    return "  ".join(f"{name} {seconds:.1f} s" for name, seconds in json.loads(result.read_text())["seconds"].items())


if __name__ == "__main__":
    sys.exit(main())
