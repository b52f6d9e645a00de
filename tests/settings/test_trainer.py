import inspect

import pytorch_lightning as pl

from multistage.settings import trainer


def test_every_argument_of_trainer_can_be_set_or_is_refused_with_a_reason():
    arguments = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}
    assert {*trainer.ARGUMENTS, *trainer.REFUSED} == arguments
    assert not {*trainer.ARGUMENTS} & {*trainer.REFUSED}


def test_where_a_run_is_done_does_not_bear_on_its_result_and_in_which_numbers_does():
    for name in ("accelerator", "devices", "strategy", "num_nodes", "profiler", "enable_progress_bar", "deterministic"):
        assert not trainer.bears_on_result(name)
    for name in ("max_epochs", "precision", "gradient_clip_val", "accumulate_grad_batches", "limit_train_batches"):
        assert trainer.bears_on_result(name)
