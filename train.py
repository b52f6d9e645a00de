"""Train one run, or a sweep of them, from a Hydra configuration."""

import shlex
import signal
import sys
import textwrap
import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from multistage.registry.errors import ConfigError, MultistageError
from multistage.registry.words import as_typed
from multistage.settings import composition

if TYPE_CHECKING:
    from multistage.cli.sweep import Outcome
    from multistage.records.runs import Record
    from multistage.settings.naming import Run
    from multistage.train.training import Progress

HELP = """\
Train a multi-stage network of Jarrett, Kavukcuoglu, Ranzato & LeCun (ICCV 2009) and leave a comparable result.

  python train.py                                              digits, two stages, everything refined: a minute
  python train.py data=caltech101 refine=false readout=lbfgs   a cell of Table 1: only the classifier learns
  python train.py -m model=lcn_maxpool,abs_lcn_avgpool seed=0,1    four runs and their comparison

  python train.py experiment=ablation                          a published set of runs; the same command again goes on

Settings are KEY=VALUE; -m runs every combination of comma-separated values.
  model      {model}
  data       {data}
  geometry   {geometry} (each data set has its own)
  stages     1, 2                      filters    random, gabor, psd
  refine     true, false               readout    softmax; with refine=false also sgd, lbfgs, pyramid_svm
  draw       which images train        seed       filters, weights, order
  logger     {logger}
  experiment {experiment}
  trainer.max_epochs, optimizer.lr, data.validation, data.root, ...: conf/train.yaml has them all, with comments.

Runs follow each other, or go to Hydra's launchers: hydra/launcher=joblib (this machine), submitit_slurm (a cluster).
Finished runs are not repeated, interrupted ones go on from their last epoch, failed ones wait for retry_failed=true.
Results lie in runs/<name>/<data>/<model>/...; python predict.py RUN IMAGE uses them.
Exit codes: 0 done, 1 failed, 2 bad configuration, 3 bad data, 4 some runs of a sweep failed, 130 and 143 interrupted.
"""


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; returns the exit code."""
    flags = {a for a in arguments if a.startswith("-")}
    typed = [a for a in arguments if not a.startswith("-")]
    if {"-h", "--help"} & flags:
        print(help_text(), end="")
        return 0
    signal.signal(signal.SIGTERM, _terminate)
    try:
        if other := {flag.partition("=")[0] for flag in flags} - {"-m", "--multirun"}:
            return show(arguments, other)
        if flags or _value(typed, "experiment") not in (None, "null"):
            return many(typed, arguments)
        from multistage.cli.imports import uncollected

        with uncollected():
            run = composition.plan(typed)
        record = execute(run, "bar" if sys.stderr.isatty() else "lines")
        from multistage.cli import terminal

        print(terminal.summary(record, run.folder))
        return 0
    except (KeyboardInterrupt, Terminated) as stop:
        print("interrupted; the same command goes on from the last finished epoch", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except MultistageError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


class Terminated(BaseException):
    """SIGTERM arrived."""


def _terminate(*_: object) -> None:
    raise Terminated


SHOWING = {"--help", "--cfg", "-c", "--info", "-i", "--hydra-help", "--shell-completion", "-sc"}


def show(arguments: Sequence[str], flags: set[str]) -> int:
    """What Hydra can show without running anything: the composed configuration, its own state, shell completion."""
    if unknown := flags - SHOWING:
        raise ConfigError(
            f"{', '.join(sorted(unknown))} is no option; expected -m or one of {', '.join(sorted(SHOWING))}"
        )
    import hydra

    sys.argv[1:] = arguments
    hydra.main(config_path=str(composition.CONF), config_name="train", version_base="1.3")(lambda config: None)()
    return 0


def execute(run: "Run", progress: "Progress") -> "Record":
    """Do one run; a run that is finished already is not done again."""
    from multistage.cli.imports import hidden, uncollected

    with uncollected():
        import torch._dynamo  # noqa: F401  torch's optimisers and Lightning need it; nothing is to be hidden from it

        with hidden("matplotlib", "scipy", "torchvision"):  # for metrics of sound and pictures: a fifth of the start
            import pytorch_lightning  # noqa: F401
        from multistage.train import hardware, protocol
        from multistage.train.quiet import quiet

    hardware.prepare()
    with quiet():
        return protocol.run(run, progress)


def many(typed: Sequence[str], arguments: Sequence[str]) -> int:
    """An experiment, or the combinations of a multirun."""
    from multistage.cli.imports import uncollected
    from multistage.cli.sweep import sweep

    engine = [word for word in typed if word.startswith(("hydra.", "hydra/"))]
    words = [word for word in typed if word not in engine]
    composition.check_engine(engine)
    name = _value(words, "experiment")
    with uncollected(), composition.hydra():
        if name in (None, "null"):
            jobs = composition.expand(words)
        else:
            jobs = composition.experiment(name, [word for word in words if not word.startswith("experiment=")])
        planned = [composition.plan(job) for job in jobs]
    if not planned:
        raise ConfigError(f"{' '.join(words)} names no run; expected at least one value for each key")
    if planned[0].config["overwrite"] is True:
        raise ConfigError("overwrite=true is for single runs: a sweep that starts over could not go on; use changed")
    typed_jobs = {run.folder: job for run, job in zip(planned, jobs, strict=True)}
    command = shlex.join(["python", "train.py", *arguments])

    task = partial(job, planned[0].config["experiment"], time.time())
    engine.append(f"output={as_typed(planned[0].config['output'])}")
    launcher = composition.launcher(engine, task)

    def launch(todo: "Sequence[Run]") -> "list[Outcome]":
        # conf/experiment is a folder, so that Hydra itself takes the key for a group of files to choose from
        jobs = [[word for word in typed_jobs[run.folder] if not word.startswith("experiment=")] for run in todo]
        with composition.hydra():
            return [done.return_value for done in launcher.launch(jobs, initial_job_idx=0)]

    return sweep(planned, launch, command, retry_failed=planned[0].config["retry_failed"])


def job(experiment: str | None, since: float, _: object) -> "Outcome":
    """What a launcher calls for each run of a sweep that began at `since`, here or in a process elsewhere."""
    from hydra.core.hydra_config import HydraConfig

    from multistage.cli.sweep import do

    typed = [*HydraConfig.get().overrides.task, *([f"experiment={experiment}"] if experiment else [])]
    return do(composition.plan(typed), lambda run: execute(run, "none"), since)


def _value(typed: Sequence[str], key: str) -> str | None:
    """What was typed for a key, last."""
    values = [word.partition("=")[2] for word in typed if word.startswith(f"{key}=")]
    return values[-1] if values else None


def help_text() -> str:
    """The help, with the names of all configuration files."""
    groups = (*composition.GROUPS, "experiment")
    return HELP.format(**{group: _wrap(", ".join(composition.names(group))) for group in groups})


def _wrap(text: str) -> str:
    return textwrap.fill(text, width=100, subsequent_indent=" " * 13)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
