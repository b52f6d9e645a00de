"""Commands in processes of their own, and the process that wandb starts for itself."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def process(folder, *words, **variables):
    """A command by itself, whose environment has nothing of wandb's but this, and no account."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB", "XDG", "MPL"))}
    own = {"PYTHONPATH": os.pathsep.join(str(ROOT / name) for name in ("src", "tests")), "HOME": str(folder)}
    environment = {**known, **own, **variables}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done


def online(folder, **variables):
    """The whole run of `dashboards.example`, online if it can be."""
    code = (
        "from multistage.settings import composition; from dashboards.example import whole_run\n"
        "from pathlib import Path\n"
        "config = composition.plan(('data=fake', 'logger=wandb', 'logger.mode=online')).config\n"
        f"whole_run(config, Path({str(folder)!r}))\n"
    )
    return process(folder, sys.executable, "-c", code, **variables)


def children():
    """wandb-core below this process."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, rest = stat.read_text().split("(", 1)[1].rsplit(")", 1)
        except OSError:
            continue
        if name.startswith("wandb-core") and int(rest.split()[1]) == os.getpid():
            yield int(stat.parent.name)
