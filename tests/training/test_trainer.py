"""What AudioTrainer promises beyond Trainer: loss, averaging, windows, epochs."""

import copy
import math
import multiprocessing

import numpy as np
import pytest
import torch
from datasets import Dataset
from helpers.checkpoints import FRAMES, tiny_config
from helpers.commands import forking
from helpers.recordings import RATE
from helpers.trainers import noise_clips, trainer
from torch import nn
from torch.nn import functional as F
from transformers import TrainerCallback

from hf_audio import AudioCNNForAudioClassification
from hf_audio.data.rows import UNVERIFIED_COLUMN
from hf_audio.errors import DivergedError
from hf_audio.models.modeling_audio_cnn import IGNORED
from hf_audio.training.batching.batches import ClipTransform
from hf_audio.training.optimization.batch_norm import ProcessBatchNorm
from hf_audio.training.trainer import average_windows


def without_batch_norm(model: nn.Module) -> nn.Module:
    """Batch statistics rightly depend on the batch; what is tested here must not."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d) and name != "feature_norm":
                setattr(module, name, nn.Identity())
    model.feature_norm = FixedNorm()
    return model


class FixedNorm(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("running_mean", torch.zeros(1))

    def forward(self, x):
        return x / 40


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_accumulated_small_batches_train_like_one_large_batch(tmp_path):
    torch.manual_seed(0)
    model = without_batch_norm(AudioCNNForAudioClassification(tiny_config()))
    results = []
    for batch, steps in ((12, 1), (4, 3), (2, 6)):
        run = trainer(
            tmp_path,
            copy.deepcopy(model),
            per_device_train_batch_size=batch,
            gradient_accumulation_steps=steps,
            logging_strategy="steps",
            logging_steps=1,
        )
        run.train()
        losses = [entry["loss"] for entry in run.state.log_history if "loss" in entry]
        results.append((weights(run.model), losses))
    assert len(results[0][1]) == 4 and results[0][1][0] == pytest.approx(np.log(3), rel=0.3)
    for state, losses in results[1:]:
        torch.testing.assert_close(state, results[0][0], atol=1e-5, rtol=1e-4)
        assert losses == pytest.approx(results[0][1], rel=1e-3)


def test_label_smoothing_mixing_and_robustness_reach_the_training_loss_only(tmp_path):
    losses = {}
    for name, arguments in {
        "plain": {},
        "smooth": {"label_smoothing_factor": 0.3},
        "mixed": {"mixup_alpha": 1.0},
        "robust": {"loss_robustness": 0.7},
    }.items():
        torch.manual_seed(0)
        model = without_batch_norm(AudioCNNForAudioClassification(tiny_config()))
        model.classifier.weight.data *= 20
        run = trainer(tmp_path, model, max_steps=1, learning_rate=0.0, **arguments)
        run.train()
        evaluated = run.evaluate(run.train_dataset)["eval_loss"]
        losses[name] = run.state.log_history[0]["loss"], evaluated
    for name in ("smooth", "mixed", "robust"):
        assert losses[name][1] == pytest.approx(losses["plain"][1], abs=1e-6)
        assert losses[name][0] != pytest.approx(losses["plain"][0], abs=1e-4)


@pytest.mark.parametrize("mixup_alpha", [0.0, 1.0])
def test_clips_that_weigh_nothing_teach_nothing(tmp_path, mixup_alpha):
    told = []
    for unverified in ([False] * 24, [number % 3 == 1 for number in range(24)], [True] * 24):
        torch.manual_seed(0)
        model = without_batch_norm(AudioCNNForAudioClassification(tiny_config()))
        dataset = noise_clips(24).add_column(UNVERIFIED_COLUMN, unverified)
        transform = ClipTransform(RATE, unverified_weight=0.0)
        options = {"max_steps": 1, "weight_decay": 0.0, "mixup_alpha": mixup_alpha}
        run = trainer(tmp_path, model, dataset, transform=transform, **options)
        before = weights(model)
        run.train()
        changed = any((value != before[name]).any() for name, value in weights(model).items())
        told.append((run.state.log_history[0]["loss"], changed, run.evaluate(run.train_dataset)["eval_loss"]))
    (all_, _, _), (some, changed, _), (none, changed_by_none, judged) = told
    assert none == 0 and not changed_by_none and judged > 0.5
    assert some == pytest.approx(2 / 3 * all_, rel=0.2) and changed


def test_what_sounds_in_frames_is_learnt_and_what_is_unknown_is_not(tmp_path):
    torch.manual_seed(0)
    model = AudioCNNForAudioClassification(tiny_config(**FRAMES))
    run = trainer(tmp_path, model)
    batch = {"input_values": torch.randn(4, RATE), "labels": torch.tensor([[1.0, 0, 0]] * 4)}
    known = torch.zeros(4, model.config.count_frames(RATE), 3)
    known[:, ::2, 0] = 1
    half = known.clone()
    half[:, 1::2] = IGNORED
    losses = {}
    for training in (False, True):
        for name, frames in {
            "none": None,
            "all": known,
            "half": half,
            "unknown": torch.full_like(known, IGNORED),
        }.items():
            model.train(training)
            torch.manual_seed(1)
            told = {} if frames is None else {"frame_targets": frames}
            losses[name] = run.compute_loss(model, {**batch, **told})
        assert losses["unknown"] == losses["none"] < losses["half"] < losses["all"] + 1
        assert losses["half"] != losses["all"]
    run.args.mixup_alpha = 0.5
    torch.manual_seed(1)  # one of the clips is laid over another one
    assert run.compute_loss(model, {**batch, "frame_targets": half}) not in (losses["half"], losses["all"])
    model.eval()
    output = model(batch["input_values"], output_frame_logits=True)
    expected = F.binary_cross_entropy_with_logits(output.frame_logits[:, ::2], known[:, ::2])
    added = run.compute_loss(model, {**batch, "frame_targets": half}) - run.compute_loss(model, dict(batch))
    torch.testing.assert_close(added, expected)
    assert run.prediction_step(model, {**batch, "frame_targets": known}, False)[1].shape == (4, 3)


def test_a_smaller_last_batch_is_dropped_unless_it_is_the_only_one(tmp_path):
    assert len(trainer(tmp_path, per_device_train_batch_size=10).get_train_dataloader()) == 2
    assert len(trainer(tmp_path, per_device_train_batch_size=100).get_train_dataloader()) == 1
    run = trainer(tmp_path, per_device_train_batch_size=10)
    assert len(run.get_eval_dataloader(run.train_dataset)) == 1 and not run.args.dataloader_drop_last


def test_the_average_of_the_weights_is_judged_and_kept(tmp_path):
    decay = 0.7
    run = trainer(tmp_path, ema_decay=decay, per_device_train_batch_size=6)
    seen = []

    class Watch(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            seen.append(weights(model))

    run.add_callback(Watch())
    run.train()
    expected = seen[0]
    for n, state in enumerate(seen[1:], start=1):
        keep = min(decay, (1 + n) / (10 + n))
        expected = {
            name: keep * expected[name] + (1 - keep) * value if value.is_floating_point() else value
            for name, value in state.items()
        }
    judged = run.evaluate(run.train_dataset)["eval_loss"]
    run.keep_average()
    torch.testing.assert_close(weights(run.model), expected, atol=1e-5, rtol=1e-4)
    assert run.evaluate(run.train_dataset)["eval_loss"] == pytest.approx(judged, abs=1e-6)
    assert any((seen[-1][name] - expected[name]).abs().max() > 1e-4 for name in expected if "conv" in name)


def test_scores_of_windows_are_averaged_a_clip(tmp_path):
    dataset = Dataset.from_list([*noise_clips(3, 2500), *noise_clips(2, 21_000), *noise_clips(1, 9000)])
    run = trainer(tmp_path, dataset=dataset)
    run.compute_metrics = lambda prediction: {"n": len(prediction.label_ids)}
    predicted = run.predict(run.train_dataset)
    assert predicted.predictions.shape == (6, 3) and predicted.metrics["test_n"] == 6
    row = run.train_dataset[4]["input_values"]
    windows = [row[start : start + RATE] for start in (0, 8000, 13000)]
    with torch.no_grad():
        by_hand = run.model.eval()(torch.from_numpy(np.stack(windows))).logits.softmax(-1).mean(0)
    torch.testing.assert_close(torch.from_numpy(predicted.predictions[4]).softmax(-1), by_hand, atol=1e-5, rtol=1e-4)


def test_average_of_windows_for_tags_is_the_mean_probability():
    logits = torch.tensor([[0.0, 3.0], [2.0, -3.0], [1.0, 1.0]])
    config = tiny_config(problem_type="multi_label_classification")
    averaged = average_windows(logits, torch.tensor([2, 1]), config).sigmoid()
    torch.testing.assert_close(averaged, torch.stack([logits[:2].sigmoid().mean(0), logits[2].sigmoid()]))


def test_trained_in_bfloat16_it_is_judged_in_float32(tmp_path):
    run = trainer(tmp_path, bf16=True)
    run.train()
    predicted = run.predict(run.train_dataset).predictions
    with torch.no_grad():
        clips = torch.from_numpy(np.stack([run.train_dataset[i]["input_values"] for i in range(24)]))
        model = AudioCNNForAudioClassification(run.model.config)
        model.load_state_dict(run.model.state_dict())
        expected = model.eval()(clips).logits.numpy()
    np.testing.assert_allclose(predicted, expected, atol=1e-4)


def test_every_epoch_draws_anew(tmp_path):
    run = trainer(tmp_path, num_train_epochs=3)
    epochs = []

    class Watch(TrainerCallback):
        def on_step_begin(self, args, state, control, **kwargs):
            epochs.append(int(run.train_dataset.format["format_kwargs"]["transform"].epoch))

    run.add_callback(Watch())
    run.train()
    assert epochs == [0, 1, 2]


def test_workers_end_with_what_they_were_for(tmp_path):
    """Left to the garbage collector, each loader would wait for them for five seconds."""
    run = trainer(tmp_path, num_train_epochs=2, dataloader_num_workers=1)
    run.train()
    assert not multiprocessing.active_children()
    run.predict(run.train_dataset)
    assert not multiprocessing.active_children()


def test_a_rare_class_comes_as_often_or_weighs_as_much_as_the_others(tmp_path):
    rare = noise_clips(24).filter(lambda row: row["label"] != 2 or row["index"] < 6)  # 8, 8 and 2 clips
    run = trainer(tmp_path, dataset=rare, balance="sampler", per_device_train_batch_size=6)
    heard, collate = [], run.data_collator
    run.data_collator = lambda rows: heard.extend(row["labels"] for row in rows) or collate(rows)
    run.train()
    first, second = heard[:24], heard[24:]
    assert sorted(first) == sorted(second) == [0] * 8 + [1] * 8 + [2] * 8
    assert first != second, "every epoch draws an order of its own"

    losses = {}
    for balance in ("none", "loss"):
        torch.manual_seed(0)
        model = without_batch_norm(AudioCNNForAudioClassification(tiny_config()))
        model.classifier.bias.data = torch.tensor([0.0, 0.0, -5.0])  # the rare class is never told
        options = {"balance": balance, "max_steps": 1, "learning_rate": 0.0, "per_device_train_batch_size": 18}
        run = trainer(tmp_path, model, rare, **options)
        run.train()
        losses[balance] = run.state.log_history[0]["loss"], run.evaluate(run.train_dataset)["eval_loss"]
    assert losses["loss"][0] > 1.5 * losses["none"][0], "a third of the loss, not a ninth, is of the rare class"
    assert losses["loss"][1] == pytest.approx(losses["none"][1]), "what is judged is judged plainly"


def normalise_share(rank: int, folder: str, queue: multiprocessing.Queue) -> None:
    """One of two processes: its share of a batch, normalised over both, and the gradients."""
    torch.set_num_threads(1)  # threads do not live through a fork
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/rendezvous", rank=rank, world_size=2)
    made: list[list[np.ndarray]] = []
    for usual, values in normalised_batches():
        own = copy.deepcopy(usual)
        own.__class__ = ProcessBatchNorm
        share = values[:3] if rank == 0 else values[3:]
        share = share.clone().requires_grad_()
        own(share).sigmoid().square().sum().backward()
        weights = [own.weight.grad, own.bias.grad] if own.affine else [share.grad] * 2
        made.append([value.numpy() for value in (share.grad, *weights, own.running_mean, own.running_var)])
    queue.put((rank, made))
    torch.distributed.destroy_process_group()


def normalised_batches() -> list[tuple[nn.Module, torch.Tensor]]:
    """Layers, and what they normalise."""
    torch.manual_seed(0)
    layers = nn.BatchNorm2d(5), nn.BatchNorm1d(5), nn.BatchNorm1d(5, affine=False, momentum=None)
    nn.init.uniform_(layers[0].weight, 0.5, 2)
    nn.init.normal_(layers[0].bias)
    shapes = (8, 5, 7, 9), (8, 5), (8, 5, 30)
    return [(layer, torch.randn(shape) * 3 + 10) for layer, shape in zip(layers, shapes, strict=True)]


def test_two_processes_normalise_like_one(tmp_path):
    context = forking()
    queue = context.Queue()
    workers = [context.Process(target=normalise_share, args=(rank, str(tmp_path), queue)) for rank in range(2)]
    for worker in workers:
        worker.start()
    shares = [rows for _, rows in sorted(queue.get(timeout=300) for _ in workers)]
    for worker in workers:
        worker.join()
    for (usual, values), first, second in zip(normalised_batches(), *shares, strict=True):
        values.requires_grad_()
        usual(values).sigmoid().square().sum().backward()
        np.testing.assert_allclose(np.concatenate([first[0], second[0]]), values.grad, atol=1e-6)
        if usual.affine:
            np.testing.assert_allclose(first[1] + second[1], usual.weight.grad, rtol=1e-5)
            np.testing.assert_allclose(first[2] + second[2], usual.bias.grad, rtol=1e-5)
        for made in (first, second):
            np.testing.assert_allclose(made[3], usual.running_mean, rtol=1e-6)
            np.testing.assert_allclose(made[4], usual.running_var, rtol=1e-6)


def test_training_ends_where_a_loss_is_no_number_and_the_checkpoint_before_is_kept(tmp_path):
    made = trainer(tmp_path, save_strategy="epoch", num_train_epochs=4, per_device_train_batch_size=8)

    class Break(TrainerCallback):
        def on_step_end(self, args, state, control, model=None, **kwargs):
            if state.global_step == 6:  # the second epoch's last
                model.classifier.weight.data[0, 0] = math.inf

    made.add_callback(Break())
    with pytest.raises(DivergedError, match=r"after 6 steps, .*classifier.weight.*checkpoint-3 holds the weights"):
        made.train()
    assert [path.name for path in tmp_path.glob("checkpoint-*")] == ["checkpoint-3"]


def test_a_loss_that_transformers_would_smooth_over_ends_training(tmp_path):
    made = trainer(tmp_path)
    compute_loss = made.compute_loss
    made.compute_loss = lambda *args, **kwargs: (
        compute_loss(*args, **kwargs) * (math.nan if made.state.global_step == 1 else 1)
    )
    with pytest.raises(DivergedError, match="after 1 steps, the loss is nan"):
        made.train()
