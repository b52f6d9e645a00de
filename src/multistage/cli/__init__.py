"""Command lines and terminal output. This is the top room and may import all others.

    train       multistage-train: what was typed, and exit codes     predict    multistage-predict
    one, many   do a run; do a list of them, by Hydra's launchers    help       what can be typed
    sweep       which runs of a list are done, and the rest          terminal   lines and tables
    progress    how a sweep goes, by its folders                     ending     exit codes of errors
    extras      what training needs beside torch

Help and refusals import neither torch nor Lightning: a wrong key is named at once.
"""

import logging

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # torchmetrics imports it; it may not be able to write
