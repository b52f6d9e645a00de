"""The text of ``train.py --help``: settings, and the names of all choices."""

import textwrap

from multistage.filters import filter_methods
from multistage.operations import normalisations, poolings, rectifications
from multistage.readout import readouts
from multistage.settings import composition, flat
from multistage.settings.config import MOST_STAGES

TEXT = """\
Train and test a multi-stage network of Jarrett, Kavukcuoglu, Ranzato & LeCun (ICCV 2009).

  {train}                                              digits, two stages, trained end to end: a minute
  {train} data=caltech101 refine=false readout=lbfgs   one cell of Table 1: only the classifier is trained
  {train} -m model=lcn_maxpool,abs_lcn_avgpool seed=0,1    four runs, compared in a table

  {train} experiment=ablation                          a published set of runs; repeat the command to resume it

Settings are KEY=VALUE; -m runs every combination of comma-separated values.
{groups}
  stages     1 to {most_stages}                    filters    {filters}
  refine     true, false
{readouts}
{operations}
  draw       which images train        seed       random filters, initial weights, order of samples
  trainer.max_epochs, optimizer.lr, ...: all settings are explained in
  {conf}, and in data, geometry and logger beside it (data.*, geometry.*, logger.*)

Runs go one after the other, or in parallel by hydra/launcher=joblib (this machine) or submitit_slurm (a cluster).
Finished runs are skipped. Interrupted runs resume after their last epoch. retry_failed=true repeats failed runs.
Each run writes its folder, runs/<name>/<data>/<model>/...; {predict} RUN IMAGE classifies images with it.
Exit codes: 0 done, 1 failed, 2 bad configuration, 3 bad data, 4 some runs of a sweep failed, 129, 130, 143 interrupted.
"""

IN_CHECKOUT = (composition.CONF.parent / "train.py").exists()
TRAIN, PREDICT = ("python train.py", "python predict.py") if IN_CHECKOUT else ("multistage-train", "multistage-predict")
"""The commands in a checkout, or of the installed package."""


def text() -> str:
    """The help of `multistage-train`."""
    return TEXT.format(
        train=TRAIN,
        predict=PREDICT,
        conf="conf/train.yaml" if IN_CHECKOUT else composition.CONF / "train.yaml",
        groups="\n".join(
            _lines(group, ", ".join(composition.names(group)))
            for group in (*flat.GROUPS, *composition.SHORTHANDS, "experiment")
        ),
        operations="\n".join(_lines(op.key, ", ".join(op), 15) for op in (rectifications, normalisations, poolings)),
        most_stages=MOST_STAGES,
        filters=", ".join(filter_methods),
        readouts=_lines("readout", f"{_readouts(True)}; on frozen filters also {_readouts(False)}"),
    )


def _readouts(by_gradient: bool) -> str:
    return ", ".join(name for name, readout in readouts.items() if readout.by_gradient == by_gradient)


def _lines(name: str, choices: str, width: int = 10) -> str:
    """Lines of help: a name in a column of this width, and its choices, wrapped."""
    indent = " " * (width + 3)
    return textwrap.fill(choices, width=116, initial_indent=f"  {name:{width}} ", subsequent_indent=indent)
