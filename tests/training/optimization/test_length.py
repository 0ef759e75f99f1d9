"""A training whose end is found out on the way: its learning rate, the clips that wait, what a resumed one knows."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.trainers import noise_clips, trainer
from transformers import TrainerCallback

from hf_audio.training.batching.batches import BalancedSampler, ClipTransform
from hf_audio.training.optimization.length import HeldBack, HoldingBackSampler

LABELS = np.repeat([0, 1, 2], [12, 8, 4])
WAITING = np.isin(np.arange(24), [0, 1, 12, 20])


class Recorder(TrainerCallback):
    """Notes each step's learning rate, and ends the training after `seen` steps at `steps`."""

    def __init__(self, run, seen=None, steps=None):
        self.run, self.seen, self.steps = run, seen, steps
        self.rates = []

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self.rates.append(self.run.optimizer.param_groups[0]["lr"])

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.seen:
            self.run.length.end_at(self.steps, "Enough.")


def test_what_waits_is_replaced_by_its_own_class_until_it_comes():
    held = HeldBack(WAITING, LABELS)
    sampler = HoldingBackSampler(held, seed=1)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert len(orders[-1]) == len(sampler) == 24
        assert not set(orders[-1]) & set(np.flatnonzero(WAITING))
        assert np.bincount(LABELS[orders[-1]]).tolist() == [12, 8, 4]
        assert set(orders[-1]) == set(np.flatnonzero(~WAITING)), "the others come, each at least once"
    assert orders[0] != orders[1] != orders[2]
    sampler.set_epoch(1)
    assert list(sampler) == orders[1]
    held.until = 3
    sampler.set_epoch(3)
    assert sorted(sampler) == list(range(24))


def test_what_waits_does_so_in_balanced_epochs_too():
    sampler = HoldingBackSampler(HeldBack(WAITING, LABELS), 1, BalancedSampler(LABELS, 1))
    sampler.set_epoch(2)
    order = list(sampler)
    assert len(sampler) == len(order) == 36 and not set(order) & set(np.flatnonzero(WAITING))
    assert np.bincount(LABELS[order]).tolist() == [12, 12, 12]


def test_an_open_ended_rate_stays_until_it_falls(tmp_path):
    run = trainer(tmp_path, per_device_train_batch_size=8, num_train_epochs=20, warmup_steps=3)
    run.length.open_ended = True
    recorder = Recorder(run, seen=10, steps=20)
    run.add_callback(recorder)
    run.train()
    assert run.state.global_step == 20 and run.state.epoch == pytest.approx(20 / 3)
    expected = [0, 1 / 3, 2 / 3, *[1] * 7, *np.linspace(1, 0.1, 10)]
    np.testing.assert_allclose(np.array(recorder.rates) / 0.1, expected, rtol=1e-6)


def test_a_shorter_schedule_is_gone_on_with_where_it_is(tmp_path):
    run = trainer(tmp_path, per_device_train_batch_size=8, num_train_epochs=20, lr_scheduler_type="cosine")
    recorder = Recorder(run, seen=5, steps=10)
    run.add_callback(recorder)
    run.train()
    expected = [0.5 * (1 + math.cos(math.pi * step / (60 if step < 5 else 10))) for step in range(10)]
    np.testing.assert_allclose(np.array(recorder.rates) / 0.1, expected, rtol=1e-6)


def test_a_resumed_training_knows_its_end_and_what_waits(tmp_path):
    flags = {"per_device_train_batch_size": 8, "num_train_epochs": 20, "save_strategy": "steps", "save_steps": 1}
    flags |= {"ema_decay": 0.9, "optim": "adamw_torch", "learning_rate": 0.01}

    def make(waiting):
        transform = ClipTransform(8000)
        run = trainer(tmp_path / "out", dataset=noise_clips(24), transform=transform, save_total_limit=30, **flags)
        run.length.open_ended, run.length.held = True, HeldBack(waiting, np.arange(24) % 3)
        run.add_callback(Recorder(run, seen=6, steps=12))
        return run

    waiting = np.arange(24) < 6
    whole = make(waiting)
    whole.train()
    assert whole.length.held.until == 2, "where the rate begins to fall"
    for step in (5, 8):  # before and after the end was found out
        resumed = make(waiting)
        resumed.train(resume_from_checkpoint=str(tmp_path / "out" / f"checkpoint-{step}"))
        assert resumed.state.global_step == 12 and resumed.length.why == "Enough."
        torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), atol=0, rtol=0)


def test_a_checkpoint_of_before_is_gone_on_with(tmp_path):
    flags = {"num_train_epochs": 2, "save_strategy": "steps", "save_steps": 1, "save_total_limit": 9}
    trainer(tmp_path, per_device_train_batch_size=8, **flags).train()
    noted = tmp_path / "checkpoint-2" / "trainer_state.json"
    state = json.loads(noted.read_text())
    del state["stateful_callbacks"]["Length"]
    noted.write_text(json.dumps(state))
    run = trainer(tmp_path, per_device_train_batch_size=8, **flags)
    run.train(resume_from_checkpoint=str(noted.parent))
    assert run.state.global_step == 6
    assert "Length" in json.loads((tmp_path / "checkpoint-6" / "trainer_state.json").read_text())["stateful_callbacks"]
