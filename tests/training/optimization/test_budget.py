"""How long a training takes: told after a few steps, and fitted into `--max_minutes`. The clock is a made one."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.trainers import noise_clips, trainer
from transformers import TrainerCallback

from hf_audio.arguments import RecipeArguments
from hf_audio.errors import ArgumentError
from hf_audio.training.batching.batches import ClipTransform
from hf_audio.training.optimization import budget
from hf_audio.training.optimization.budget import Clock, judging_seconds, share_time
from hf_audio.training.optimization.length import HeldBack

JUDGING = 4.0
FLAGS = {"per_device_train_batch_size": 3, "num_train_epochs": 40, "lr_scheduler_type": "cosine"}  # 120 steps


class MadeClock(TrainerCallback):
    """Time that passes with steps alone, `pace` seconds each, from step `slow_from` on three times as many."""

    def __init__(self, pace, slow_from=math.inf):
        self.pace, self.slow_from, self.now, self.rates = pace, slow_from, 1000.0, []

    def time(self):
        return self.now

    perf_counter = time

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.now += self.pace * (3 if state.global_step >= self.slow_from else 1)
        self.rates.append(optimizer.param_groups[0]["lr"])


@pytest.fixture
def timed(tmp_path, monkeypatch):
    """Trains on a made clock: `timed(clock, seconds)` gives the trainer, which had so many seconds, or as many as it
    wanted."""

    def train(clock, seconds=None, resume=None, **arguments):
        monkeypatch.setattr(budget, "time", SimpleNamespace(time=clock.time, perf_counter=clock.perf_counter))
        flags = {**FLAGS, **arguments}
        minutes = None if seconds is None else seconds / 60
        run = trainer(tmp_path / "out", dataset=noise_clips(9, 800), max_minutes=minutes, **flags)
        if seconds is not None:
            run.args.deadline = clock.now + seconds
        run.add_callback(clock)
        run.add_callback(Clock(run, run.length, lambda: JUDGING))
        run.train(resume_from_checkpoint=resume)
        return run

    return train


def test_the_time_is_told_and_the_training_stays_as_it_is(timed, tmp_path, caplog):
    caplog.set_level("INFO")
    run = timed(MadeClock(pace=2.5))
    (told,) = [record.message for record in caplog.records if "on this machine" in record.message]
    assert "5 minutes" in told and "40 epochs" in told and "--max_minutes 2 " in told
    plain = trainer(tmp_path, dataset=noise_clips(9, 800), **FLAGS)  # which has no clock
    plain.train()
    assert run.state.global_step == 120
    torch.testing.assert_close(run.model.state_dict(), plain.model.state_dict(), atol=0, rtol=0)


def test_of_a_short_training_no_shorter_one_is_suggested(timed, caplog):
    caplog.set_level("INFO")
    timed(MadeClock(pace=0.1))
    (told,) = [record.message for record in caplog.records if "on this machine" in record.message]
    assert "seconds" in told and "--max_minutes" not in told


@pytest.mark.parametrize("slow_from", [math.inf, 18, 24])
def test_the_whole_training_fits_into_its_time_and_ends_with_no_learning_rate(timed, slow_from):
    clock = MadeClock(2.5, slow_from)
    run = timed(clock, seconds=120.0)
    left = 1000 + 120 - budget.WRITING_SECONDS - JUDGING - clock.now
    assert -1 <= left <= (3 if slow_from == math.inf else 15)
    assert run.state.global_step == run.state.max_steps < 120
    assert clock.rates[-1] < 0.1 * clock.rates[0]
    assert f"{run.state.max_steps} of 120 steps" in run.length.why


def test_where_time_is_short_nothing_waits(tmp_path, monkeypatch):
    clock = MadeClock(2.5)
    monkeypatch.setattr(budget, "time", SimpleNamespace(time=clock.time, perf_counter=clock.perf_counter))
    run = trainer(tmp_path, dataset=noise_clips(9, 800), max_minutes=2.0, **FLAGS)
    run.args.deadline = clock.now + 120
    run.length.open_ended, run.length.held = True, HeldBack(np.arange(9) < 3, np.arange(9) % 3)
    run.add_callback(clock)
    run.add_callback(Clock(run, run.length, lambda: JUDGING))
    run.train()
    planned = run.state.max_steps
    assert run.length.held.until == 2 and planned < 50, "the fifth step, of three an epoch, has used up five seconds"
    cosine = [0.5 * (1 + math.cos(math.pi * step / planned)) for step in range(planned)]
    assert clock.rates[-20:] == pytest.approx([0.1 * rate for rate in cosine[-20:]])


def test_where_time_is_ample_nothing_changes(timed):
    run = timed(MadeClock(0.1), seconds=600.0)
    assert run.state.global_step == 120 and not run.length.why


def test_where_too_little_is_left_a_quarter_of_the_time_is_trained(timed, caplog):
    clock = MadeClock(1.0)
    timed(clock, seconds=16.0)
    assert "so the run will take" in caplog.text
    assert clock.now - 1000 == pytest.approx(8 + 4, abs=3)


def test_a_resumed_training_keeps_its_plan(timed, tmp_path):
    flags = {"save_strategy": "steps", "save_steps": 20, "save_total_limit": 20}
    whole = timed(MadeClock(1.0), seconds=60.0, **flags)
    resumed = timed(MadeClock(0.01), seconds=60.0, resume=str(tmp_path / "out" / "checkpoint-20"), **flags)
    assert resumed.state.global_step == whole.state.global_step < 60
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), atol=0, rtol=0)


def test_several_trainings_share_what_is_left(monkeypatch):
    clock = SimpleNamespace(time=lambda: 1000.0)
    monkeypatch.setattr(budget, "time", clock)
    args = RecipeArguments(max_minutes=1.0, report_to="none")
    args.deadline = 1050.0
    part = share_time(args, 5)
    assert (part.deadline, part.allotted_seconds, args.deadline) == (1010.0, 10.0, 1050.0)
    assert share_time(RecipeArguments(report_to="none"), 5).deadline is None


def test_the_test_clips_take_as_long_as_a_few_of_them_say(tmp_path, monkeypatch):
    run = trainer(tmp_path)
    heard = []
    monkeypatch.setattr(run, "prediction_step", lambda model, batch, loss_only: heard.append(len(batch["labels"])))
    ticks = iter(range(100))
    monkeypatch.setattr(budget, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
    tests = [noise_clips(n).with_transform(ClipTransform(8000)) for n in (80, 2)]
    none = noise_clips(1).select([])  # as of a network that is trained on all clips
    assert judging_seconds(run, [*tests, none]) == 80 / 8 + 2 / 2
    assert sum(heard) == 10


@pytest.mark.parametrize("minutes", [0, -2.0, math.inf, math.nan])
def test_no_time_is_refused(minutes):
    with pytest.raises(ArgumentError, match="max_minutes"):
        RecipeArguments(max_minutes=minutes)


@pytest.mark.parametrize("other", [{"baseline": True}, {"search": 3, "validation_fraction": 0.2}])
def test_what_is_no_training_of_one_network_is_not_planned(other):
    with pytest.raises(ArgumentError, match=r"--max_minutes plans"):
        RecipeArguments(max_minutes=3, **other)
