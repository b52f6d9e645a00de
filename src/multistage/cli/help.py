"""What can be typed, with the names of all that can be chosen."""

import textwrap

from multistage.filters import filter_methods
from multistage.operations import normalisations, poolings, rectifications
from multistage.readout import readouts
from multistage.settings import composition, flat
from multistage.settings.config import MOST_STAGES

TEXT = """\
Train a multi-stage network of Jarrett, Kavukcuoglu, Ranzato & LeCun (ICCV 2009) and leave a comparable result.

  {train}                                              digits, two stages, all fine-tuned: a minute
  {train} data=caltech101 refine=false readout=lbfgs   a cell of Table 1: only the classifier learns
  {train} -m model=lcn_maxpool,abs_lcn_avgpool seed=0,1    four runs and their comparison

  {train} experiment=ablation                          a published set of runs; the same command again goes on

Settings are KEY=VALUE; -m runs every combination of comma-separated values.
{groups}
  stages     1 to {most_stages}                    filters    {filters}
  refine     true, false               readout    {by_gradient}; on frozen filters also {on_frozen}
{operations}
  draw       which images train        seed       filters, weights, order
  trainer.max_epochs, optimizer.lr, data.validation, data.root, ...: all hyperparameters, with comments, stand in
  {conf}

Runs follow each other, or go to Hydra's launchers: hydra/launcher=joblib (this machine), submitit_slurm (a cluster).
Finished runs are not repeated, interrupted ones go on from their last epoch, failed ones wait for retry_failed=true.
Results lie in runs/<name>/<data>/<model>/...; {predict} RUN IMAGE uses them.
Exit codes: 0 done, 1 failed, 2 bad configuration, 3 bad data, 4 some runs of a sweep failed, 129, 130, 143 interrupted.
"""

IN_CHECKOUT = (composition.CONF.parent / "train.py").exists()
TRAIN, PREDICT = ("python train.py", "python predict.py") if IN_CHECKOUT else ("multistage-train", "multistage-predict")
"""What to type here."""


def text() -> str:
    """The help of `multistage-train`."""
    return TEXT.format(
        train=TRAIN,
        predict=PREDICT,
        conf="conf/train.yaml" if IN_CHECKOUT else composition.CONF / "train.yaml",
        groups="\n".join(_line(group) for group in (*flat.GROUPS, *composition.SHORTHANDS, "experiment")),
        operations="\n".join(f"  {op.key:15} {', '.join(op)}" for op in (rectifications, normalisations, poolings)),
        most_stages=MOST_STAGES,
        filters=", ".join(filter_methods),
        by_gradient=", ".join(name for name, readout in readouts.items() if readout.by_gradient),
        on_frozen=", ".join(name for name, readout in readouts.items() if not readout.by_gradient),
    )


def _line(group: str) -> str:
    """The files of conf/`group`."""
    files = ", ".join(composition.names(group))
    return textwrap.fill(files, width=113, initial_indent=f"  {group:10} ", subsequent_indent=" " * 13)
