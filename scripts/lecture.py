"""Measure the lecture's claims, and make the page that shows them.

python scripts/lecture.py                            writes results/lecture: figures, tables, pictures, index.html
python scripts/lecture.py lecture-04 lecture-08 --output lecture          some sections, to another folder
python scripts/lecture.py --words                    updates only the words of index.html; measures nothing

Takes minutes on one core. Needs Caltech-101 and MNIST (see conf/data), and the networks published in results/explorer.
"""

import argparse
import logging
import sys
import time
from pathlib import Path

import torch

from audit.lecture import publish, sections
from audit.lecture.material import Material
from audit.lecture.section import Section
from multistage.cli.ending import exit_code
from multistage.train import hardware

ROOT = Path(__file__).parent.parent


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Read the command line, measure, write; returns the exit code."""
    modules = {sections.claim(name): name for name in sections.names()}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"which of {', '.join(modules)} (default: all)")
    parser.add_argument("--output", type=Path, help="folder to write to (default: results/lecture)")
    parser.add_argument("--words", action="store_true", help="update only the words of the page")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.sections if name not in modules]:
        parser.error(f"{unknown[0]} is not a section; expected one of {', '.join(modules)}")
    if options.words and options.sections:
        parser.error("--words updates the words of the whole page; leave out the sections")
    if options.sections and options.output is None:
        parser.error("results/lecture takes all sections; choose another folder for some, e.g. --output lecture")
    output = options.output or root / "results" / "lecture"
    logging.basicConfig(level=logging.WARNING)
    hardware.prepare()
    torch.set_num_threads(1)  # other numbers of threads round otherwise

    def write() -> int:
        if options.words:
            files = publish.write_page(output, {claim: sections.words(name) for claim, name in modules.items()})
        else:
            material = Material(root / "results")
            files = publish.write(output, [measure(modules[name], material) for name in options.sections or modules])
        for file in files:
            print(file)
        return 0

    try:
        return exit_code(write)
    except ModuleNotFoundError as error:
        print(f"error: {error.name} is missing; pip install 'multistage[report]'", file=sys.stderr)
        return 1


def measure(name: str, material: Material) -> Section:
    """Make one section and say how long it took."""
    started = time.perf_counter()
    section = sections.make(name, material)
    print(f"{section.claim}: {len(section.measured)} figures, {time.perf_counter() - started:.1f} s", flush=True)
    return section


if __name__ == "__main__":
    sys.exit(main())
