"""Publish finished runs: collect their records into results/<name>/records.jsonl, then rebuild the table of README."""

import argparse
from pathlib import Path

from multistage.report import readme
from multistage.report.records import collect, from_file, to_lines

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "results" / "first_light" / "records.jsonl"


def main() -> None:
    """Read the command line, collect, rebuild."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="?", help="folder of runs to publish, e.g. runs/first_light")
    options = parser.parse_args()
    if options.runs is not None:
        target = ROOT / "results" / options.runs.name / "records.jsonl"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(to_lines(collect(options.runs)), encoding="utf-8")
        print(target)
    path = ROOT / "README.md"
    table = readme.table(from_file(PUBLISHED), readme.paper_values(ROOT / "results" / "paper.yaml"))
    path.write_text(readme.insert(path.read_text(encoding="utf-8"), table), encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
