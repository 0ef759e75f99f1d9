"""When a training has learnt what it can, by clips that are kept apart."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Sequence, Value
from helpers import tones as tones_recipe
from helpers.checkpoints import results, tiny_config
from helpers.trainers import noise_clips, trainer

from hf_audio import AudioCNNForAudioClassification
from hf_audio.data.rows import UNVERIFIED_COLUMN
from hf_audio.training import stopping
from hf_audio.training.batching.batches import ClipTransform
from hf_audio.training.fine_tune import fine_tune
from hf_audio.training.stopping import Stopping, has_settled, hold_back, mean_right


def clips(counts, groups=None) -> Dataset:
    labels = np.repeat(np.arange(len(counts)), counts).tolist()
    columns = {"label": labels, **({} if groups is None else {"speaker": groups})}
    label = ClassLabel(names=[f"class {number}" for number in range(len(counts))])
    others = {} if groups is None else {"speaker": Value("string")}
    return Dataset.from_dict(columns, Features({"label": label, **others}))


def test_a_share_of_every_class_waits_but_of_those_with_few_clips():
    held = hold_back(clips([300, 200, 20, 4, 1]), seed=1, group_column=None)
    assert np.bincount(held.strata[held.rows], minlength=5).tolist() == [45, 30, 3, 0, 0]
    again, other = (hold_back(clips([300, 200, 20, 4, 1]), seed, None) for seed in (1, 2))
    assert (again.rows == held.rows).all() and (other.rows != held.rows).any()


def test_of_large_sets_no_more_waits_than_is_needed():
    held = hold_back(clips([6000, 1500]), seed=1, group_column=None)
    assert held.rows.sum() == pytest.approx(stopping.MOST_HELD, abs=2)


@pytest.mark.parametrize("counts", [[150, 150], [2] * 300, [4] * 150])
def test_of_few_clips_nothing_waits(counts):
    assert hold_back(clips(counts), seed=1, group_column=None) is None


def test_groups_wait_together_and_leave_every_class_most_of_its_clips():
    # A class of six speakers, one of two, of whom one has nearly all, and one of a single speaker.
    groups = [*np.repeat(list("abcdef"), 50), *"g" * 180, *"h" * 20, *"i" * 40]
    held = hold_back(clips([300, 200, 40], groups), seed=0, group_column="speaker")
    waiting, learnt = (set(np.asarray(groups)[rows]) for rows in (held.rows, ~held.rows))
    assert not waiting & learnt
    assert np.bincount(held.strata[held.rows], minlength=3).tolist() == [50, 20, 0]


def test_clips_whose_label_nobody_has_verified_judge_nothing():
    guessed = np.arange(600) % 2 == 0
    dataset = clips([300, 300]).add_column(UNVERIFIED_COLUMN, guessed.tolist())
    held = hold_back(dataset, seed=0, group_column=None)
    assert held.rows.sum() >= 40 and not (held.rows & guessed).any()


def test_clips_with_tags_wait_by_their_rarest_one():
    features = Features({"label": Sequence(ClassLabel(names=["dog", "rain", "wind"]))})
    dataset = Dataset.from_dict({"label": [[0], [0, 1], [2], []] * 120}, features)
    held = hold_back(dataset, seed=0, group_column=None)
    assert held.rows.reshape(-1, 4).sum(0).tolist() == [18, 18, 18, 18]


EPOCHS = [1, 2, 3, 4, 5, 6, 7, 9, 11, 13, 15, 18, 21, 25, 29, 34, 40, 46, 53, 61, 71, 82, 95, 110, 127, 147, 170]


def stopped_at(curve, most=240):
    checks = []
    for epoch in EPOCHS:
        checks.append((epoch, curve(epoch)))
        if has_settled(checks, most, 300, 0.1):
            return epoch
    return None


def test_learning_that_goes_on_is_not_ended_and_what_gains_nothing_is():
    assert stopped_at(lambda epoch: 0.85) <= 40, "the largest class is all there is to know"
    assert stopped_at(lambda epoch: 0.9 * (1 - np.exp(-epoch / 5))) <= 53, "learnt quickly"
    slow = stopped_at(lambda epoch: 0.9 * (1 - np.exp(-epoch / 40)))
    assert slow is None or slow > 120
    assert stopped_at(lambda epoch: 0.9 * min(epoch / 200, 1)) is None
    late = stopped_at(lambda epoch: 0.1 if epoch < 20 else 0.9 * (1 - np.exp(-(epoch - 20) / 10)))
    assert late is not None and late > 60, "nothing happened in the beginning"
    late = stopped_at(lambda epoch: 0.11 if epoch < 50 else 0.9 * (1 - np.exp(-(epoch - 50) / 10)))
    assert late is None or late > 80, "and for longer, where nothing is known yet"
    assert stopped_at(lambda epoch: 0.11) <= 95, "not for ever"


def test_what_is_judged_is_the_mean_over_classes_of_the_right_probability(tmp_path, monkeypatch):
    torch.manual_seed(0)
    dataset = noise_clips(9).select([0, 1, 2, 3, 6]).with_transform(ClipTransform(8000))  # of 0, 1, 2, 0, 0
    monkeypatch.setattr(stopping, "fit_temperature", lambda *given: 2.0)
    run = trainer(tmp_path, dataset=dataset, per_device_eval_batch_size=2)
    run.model.eval()
    with torch.no_grad():
        batch = run.data_collator([dataset[place] for place in range(5)])
        labels = batch.pop("labels")
        right = run.model(**batch).logits.div(2).softmax(-1)[torch.arange(5), labels].numpy()
    assert mean_right(run, dataset) == pytest.approx((right[[0, 3, 4]].mean() + right[1] + right[2]) / 3, rel=1e-4)


def test_of_tags_it_is_the_probability_of_those_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "fit_temperature", lambda *given: 1.0)
    torch.manual_seed(0)
    model = AudioCNNForAudioClassification(tiny_config(problem_type="multi_label_classification"))
    tagged = noise_clips(3).remove_columns("label").add_column("label", [[0, 2], [], [2]])
    dataset = tagged.with_transform(ClipTransform(8000, n_tags=3))
    run = trainer(tmp_path, model, dataset)
    model.eval()
    with torch.no_grad():
        batch = run.data_collator([dataset[place] for place in range(3)])
        given = model(input_values=batch["input_values"]).logits.sigmoid().numpy()
    assert mean_right(run, dataset) == pytest.approx((given[0, 0] + given[[0, 2], 2].mean()) / 2, rel=1e-4)


def test_a_training_begins_its_end_where_nothing_is_gained(tmp_path, monkeypatch):
    monkeypatch.setattr(stopping, "mean_right", lambda trainer, clips: min(trainer.state.epoch / 10, 0.8))
    run = trainer(tmp_path, per_device_train_batch_size=8, num_train_epochs=100)
    run.length.open_ended = True
    watcher = Stopping(run, run.length, noise_clips(3))
    run.add_callback(watcher)
    run.train()
    last = watcher.checks[-1][0]
    assert 10 <= last <= 20 and run.state.global_step == 3 * 2 * last
    assert f"after {2 * last} of at most 100 epochs" in run.length.why


@pytest.mark.slow
def test_a_run_that_was_ended_has_learnt_all_clips_and_says_so(tones, tmp_path, monkeypatch):
    for name, value in {"LEAST_CLIPS": 20, "LEAST_HELD": 3}.items():
        monkeypatch.setattr(stopping, name, value)
    monkeypatch.setattr("hf_audio.training.fine_tune.LEAST_HELD", 3)
    flags = {"num_train_epochs": 60, "report_to": "none", "bf16": False, "disable_tqdm": True, "save_strategy": "no"}
    args = tones_recipe.TonesArguments(data_dir=str(tones), output_dir=str(tmp_path / "out"), **flags)
    fine_tune(args, replace(tones_recipe.make_task(args), stop_when_settled=True))
    told, card = results(tmp_path / "out"), (tmp_path / "out" / "README.md").read_text()
    assert told["epoch"] < 60 and told["train_samples"] == 27 and told["eval_accuracy"] > 0.7
    assert f"ended after {told['epoch']:g} of at most 60 epochs" in card and "on 6 training clips" in card
