import numpy as np
import pytest
from PIL import Image

from multistage.train import epochs, protocol
from multistage.train.history import History
from multistage.train.quiet import quiet


@pytest.fixture
def interrupt(do, monkeypatch):
    """Interrupt a run after the checkpoint of an epoch; by default after its last one, before it is tested."""
    save = epochs.EveryEpoch.on_train_epoch_end

    def interrupt(run, after=None):
        def stop(self, trainer, module):
            save(self, trainer, module)
            if trainer.current_epoch + 1 == after:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(epochs.EveryEpoch, "on_train_epoch_end", stop)
            patch.setattr(protocol, "predict", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                do(run)

    return interrupt


@pytest.fixture
def train(plan):
    """Train as settings say, without a folder: what was trained, and its history."""

    def train(*typed, history=None):
        run, history = plan(*typed), History() if history is None else history
        dataset = run.settings.data.load()
        with quiet():
            return protocol.train(run.config, dataset, run.settings.draw.of(dataset), history, "none"), history

    return train


@pytest.fixture
def image(tmp_path):
    """A file of noise in colour."""
    path = tmp_path / "image.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8)).save(path)
    return path
