"""The model as a function from waveform to scores: alone and in batches, cast, compiled, exported, saved."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers.checkpoints import CANVAS_BACKBONES, FRAMES, tiny_config, trained_looking_model
from helpers.recordings import RATE, tone
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F
from transformers import AutoConfig, AutoFeatureExtractor, AutoModel, AutoModelForAudioClassification, pipeline

from hf_audio import AudioCNNConfig, AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.models.backbones import BACKBONES, pool_frame_logits
from hf_audio.models.frontends import FRONTENDS
from hf_audio.models.modeling_audio_cnn import TRIM_BLOCK, classification_loss, find_sound, probabilities

# Which do not hear all of a clip, or hear it several times.
SELECTING = [
    {"backbone": "resnet", "trim_db": 10.0},
    {"backbone": "conv1d", "heard_seconds": 0.4},
    {"backbone": "resnet", "repeat_short": True, "min_seconds": 0.4},
    {"backbone": "alexnet", "trim_db": 10.0, "repeat_short": True, "heard_seconds": 0.5, "min_seconds": 0.5},
]
KINDS = [
    {"backbone": backbone, "frontend": frontend, "center_features": centered, "top_db": top_db}
    for backbone in BACKBONES
    for frontend in FRONTENDS
    for centered, top_db in ((False, None), (True, 60.0))
]
KINDS += [
    {"backbone": "resnet", "stem_stride": 2},
    {"backbone": "resnet", "early_pooling": True, "hidden_sizes": [8, 12, 12]},
    {"backbone": "resnet", "pooling": "mean"},
    {"backbone": "resnet", "pooling": "attention", "context_dilations": [1, 2]},
    {"backbone": "shufflenet", "pooling": "attention", "num_digits": 2},
    {"backbone": "resnet", "number_grammar": "ru", "num_digits": 6},
    {"backbone": "resnet", "pooling": "max"},
    {"backbone": "resnet", "pooling": "mean_std"},
    {"backbone": "resnet", "long_term_spectrum": True},
    {"backbone": "cnn3", "pooling": "max"},
    *SELECTING,
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(map(str, kind.values())))
@settings(max_examples=8, deadline=None)
@given(lengths=st.lists(st.integers(1, 9000), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_a_clip_scores_the_same_alone_and_among_longer_ones(kind, lengths, seed):
    model = trained_looking_model(tiny_config(**kind), seed)
    longest = model.config.clip_samples if kind["backbone"] in CANVAS_BACKBONES else 9000
    generator = np.random.default_rng(seed)
    clips = [(generator.standard_normal(min(n, longest)) * 0.1).astype(np.float32) for n in lengths]
    extractor = AudioCNNFeatureExtractor(sampling_rate=RATE)
    with torch.no_grad():
        together = model(**extractor(clips, sampling_rate=RATE, return_tensors="pt")).logits
        alone = [model(torch.from_numpy(clip)[None]).logits for clip in clips]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-4, rtol=1e-4)


def test_statistics_of_features_are_those_of_clips_and_not_of_padding():
    clip = torch.from_numpy(tone(500, 0.5))[None]
    padded, mask = F.pad(clip, (0, 8000)), F.pad(torch.ones_like(clip, dtype=torch.long), (0, 8000))
    norms = []
    for inputs in ({"input_values": clip}, {"input_values": padded, "attention_mask": mask}):
        model = AudioCNNForAudioClassification(tiny_config(center_features=True)).train()
        model(**inputs)
        norms.append(model.feature_norm)
    # The last frame reads across the clip's end: silence beside the one, and zeros beside the other.
    torch.testing.assert_close(norms[0].running_mean, norms[1].running_mean, atol=0.2, rtol=0)
    torch.testing.assert_close(norms[0].running_var, norms[1].running_var, atol=0.5, rtol=0.05)


@pytest.mark.parametrize(
    "kind",
    [
        *({"backbone": backbone} for backbone in BACKBONES),
        *SELECTING,
    ],
    ids=lambda kind: "-".join(map(str, kind.values())),
)
def test_what_stands_under_the_mask_does_not_matter(kind):
    model = trained_looking_model(tiny_config(**kind))
    x = torch.from_numpy(tone(500, 0.6))[None]
    mask = torch.zeros(1, x.shape[1], dtype=torch.long)
    mask[:, :3000] = 1
    garbage = x.clone()
    garbage[:, 3000:] = torch.randn(x.shape[1] - 3000) * 5
    with torch.no_grad():
        torch.testing.assert_close(model(garbage, mask).logits, model(x, mask).logits)


def test_a_clip_below_the_shortest_length_stands_in_the_middle_of_zeros():
    model = trained_looking_model(tiny_config(min_seconds=0.5))
    clip = torch.from_numpy(tone(700, 0.2))[None]  # 1600 of 4000 samples
    with torch.no_grad():
        expected = model(torch.nn.functional.pad(clip, (1200, 1200))).logits
        torch.testing.assert_close(model(clip).logits, expected)
        torch.testing.assert_close(model(clip, torch.ones(1, 1600)).logits, expected)
        padded, mask = torch.nn.functional.pad(clip, (0, 900)), torch.zeros(1, 2500)
        mask[:, :1600] = 1
        torch.testing.assert_close(model(padded, mask).logits, expected)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 1500), st.integers(0, 1500)), min_size=1, max_size=4),
    st.integers(0, 99),
)
def test_sound_is_found_block_by_block(clips, seed):
    batch = torch.zeros(len(clips), max(map(sum, clips)) + 77)
    expected = []
    for row, (before, n, after) in zip(batch, clips, strict=True):
        loudness = np.repeat([1e-3, 1, 1e-3], [before, n, after])
        waveform = (np.random.default_rng(seed).standard_normal(len(loudness)) * loudness).astype(np.float32)
        row[: len(waveform)] = torch.from_numpy(waveform)
        padded = np.append(waveform, np.zeros(-len(waveform) % TRIM_BLOCK))
        levels = [np.sum(np.square(block)) for block in padded.reshape(-1, TRIM_BLOCK)]
        loud = [number for number, level in enumerate(levels) if 10 * np.log10(level / max(levels)) >= -40]
        start, end = loud[0] * TRIM_BLOCK, min((loud[-1] + 1) * TRIM_BLOCK, len(waveform))
        expected.append((start, end - start))
    told = find_sound(batch, torch.tensor([sum(clip) for clip in clips]), 40.0)
    assert list(zip(*(value.tolist() for value in told), strict=True)) == expected


@pytest.mark.parametrize("level", [0.0, 1e-3])
@pytest.mark.parametrize("backbone", ["resnet", "cnn3"])
def test_silence_around_a_clip_is_not_heard(backbone, level):
    model = trained_looking_model(tiny_config(backbone=backbone, trim_db=40.0))
    clip = torch.from_numpy(tone(700, 0.32))[None]  # ten blocks
    silence = level * torch.randn(1, 6 * TRIM_BLOCK)
    within = torch.cat([silence[:, : 4 * TRIM_BLOCK], clip, silence[:, 4 * TRIM_BLOCK :]], dim=1)
    with torch.no_grad():
        torch.testing.assert_close(model(within).logits, model(clip).logits, atol=1e-5, rtol=1e-5)
        padded, mask = F.pad(within, (0, 500)), F.pad(torch.ones_like(within), (0, 500))
        torch.testing.assert_close(model(padded, mask).logits, model(clip).logits, atol=1e-5, rtol=1e-5)
        plain = trained_looking_model(tiny_config(backbone=backbone))
        assert (plain(within).logits - plain(clip).logits).abs().max() > 0.01


def test_digital_silence_alone_is_heard_as_it_is():
    model = trained_looking_model(tiny_config(trim_db=40.0))
    plain = trained_looking_model(tiny_config())
    with torch.no_grad():
        torch.testing.assert_close(model(torch.zeros(2, 3000)).logits, plain(torch.zeros(2, 3000)).logits)


def test_what_comes_after_the_seconds_that_are_heard_changes_nothing():
    model = trained_looking_model(tiny_config(heard_seconds=0.4))
    clip = torch.from_numpy(tone(700, 0.9))[None]
    other = clip.clone()
    other[:, 3200:] = torch.randn(1, 4000)
    with torch.no_grad():
        expected = model(clip[:, :3200]).logits
        torch.testing.assert_close(model(clip).logits, expected)
        torch.testing.assert_close(model(other).logits, expected)
        other[:, 3199] += 1
        assert (model(other).logits - expected).abs().max() > 1e-4


@pytest.mark.parametrize("kind", [{"backbone": "resnet", "min_seconds": 0.5}, {"backbone": "alexnet"}], ids=str)
@pytest.mark.parametrize("seconds", [0.001, 0.13, 0.3])
def test_a_short_clip_is_heard_again_and_again(kind, seconds):
    model = trained_looking_model(tiny_config(repeat_short=True, **kind))
    clip = torch.from_numpy(tone(700, seconds))[None]
    shortest = model.config.min_samples
    tiled = clip.repeat(1, -(-shortest // clip.shape[1]))[:, :shortest]
    with torch.no_grad():
        torch.testing.assert_close(model(clip).logits, model(tiled).logits)
        if kind["backbone"] not in CANVAS_BACKBONES:
            longer = F.pad(clip, (0, shortest + 10)), F.pad(torch.ones_like(clip), (0, shortest + 10))
            torch.testing.assert_close(model(*longer).logits, model(tiled).logits, atol=1e-5, rtol=1e-5)


def test_the_beginning_of_the_sound_is_repeated():
    choices = {"trim_db": 40.0, "heard_seconds": 0.5, "min_seconds": 0.5, "repeat_short": True}
    model = trained_looking_model(tiny_config(backbone="alexnet", **choices))
    sound = torch.from_numpy(tone(700, 0.8))[None, : 12 * TRIM_BLOCK]
    silence = torch.zeros(1, 3 * TRIM_BLOCK)
    with torch.no_grad():
        short = torch.cat([silence, sound[:, : 2 * TRIM_BLOCK], silence], dim=1)
        tiled = sound[:, : 2 * TRIM_BLOCK].repeat(1, 8)[:, :4000]
        torch.testing.assert_close(model(short).logits, model(tiled).logits)
        long = torch.cat([silence, sound, sound], dim=1)
        torch.testing.assert_close(model(long).logits, model(sound.repeat(1, 2)[:, :4000]).logits)


def test_centred_and_clipped_below_its_peak_a_clip_scores_the_same_at_any_level():
    model = trained_looking_model(tiny_config(center_features=True, top_db=50.0))
    x = torch.from_numpy(np.stack([tone(500), tone(2000)]))
    with torch.no_grad():
        for gain in (0.01, 0.3, 2.0):
            torch.testing.assert_close(model(gain * x).logits, model(x).logits, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_parameter_learns_and_gradient_checkpointing_changes_nothing(backbone):
    x, labels = torch.randn(4, 4000) * 0.1, torch.tensor([0, 1, 2, 0])
    gradients = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        model = AudioCNNForAudioClassification(tiny_config(backbone=backbone)).train()
        if checkpointing:
            model.gradient_checkpointing_enable()
            assert any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        model(x, labels=labels).loss.backward()
        gradients.append({name: p.grad.clone() for name, p in model.named_parameters()})
    assert all(gradient.abs().sum() > 0 for gradient in gradients[0].values())
    torch.testing.assert_close(gradients[0], gradients[1])


def test_a_few_steps_separate_tones():
    torch.manual_seed(0)
    model = AudioCNNForAudioClassification(tiny_config()).train()
    x = torch.stack([torch.from_numpy(tone(h, seed=s)) for s in range(4) for h in (300, 900, 2500)])
    labels = torch.tensor([0, 1, 2] * 4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(40):
        optimizer.zero_grad()
        model(x, labels=labels).loss.backward()
        optimizer.step()
    assert (model.eval()(x).logits.argmax(-1) == labels).all()


def test_the_long_term_spectrum_is_a_quarter_of_the_answer():
    """Against numpy: a linear layer of means and deviations, of all frames alike and by their loudness."""
    torch.manual_seed(0)
    both = trained_looking_model(tiny_config(long_term_spectrum=True))
    alone = AudioCNNForAudioClassification(tiny_config()).eval()
    alone.load_state_dict({k: v for k, v in both.state_dict().items() if not k.startswith("long_term_spectrum")})
    branch = both.long_term_spectrum
    branch.norm.running_mean.normal_()
    branch.norm.running_var.uniform_(0.5, 2)
    x = torch.randn(5, RATE) * torch.linspace(0.01, 0.2, 5)[:, None]
    with torch.no_grad():
        features = both.featurize(x)[0].double().numpy()
        loudness = np.exp(1.5 * features.mean(1))
        statistics = []
        for weights in (np.ones_like(loudness), loudness):
            mean = np.array([np.average(x, axis=1, weights=w) for x, w in zip(features, weights, strict=True)])
            squares = [(x - m[:, None]) ** 2 for x, m in zip(features, mean, strict=True)]
            variance = np.array([np.average(x, axis=1, weights=w) for x, w in zip(squares, weights, strict=True)])
            statistics += [mean - mean.mean(1, keepdims=True), np.sqrt(variance + 1e-5)]
        statistics = np.concatenate(statistics, axis=1)
        norm = branch.norm
        statistics = (statistics - norm.running_mean.numpy()) / np.sqrt(norm.running_var.numpy() + norm.eps)
        spectral = statistics @ branch.classifier.weight.numpy().T + branch.classifier.bias.numpy()
        expected = 0.75 * alone(x).logits.numpy() + 0.25 * spectral
        np.testing.assert_allclose(both(x).logits.numpy(), expected, atol=1e-4)


def test_in_training_every_clip_is_answered_by_the_network_or_by_its_long_term_spectrum():
    model = AudioCNNForAudioClassification(tiny_config(long_term_spectrum=True, dropout=0.0)).train()
    torch.nn.init.zeros_(model.classifier.weight)
    torch.nn.init.constant_(model.classifier.bias, 7.0)
    by_network = (model(torch.randn(400, RATE // 4)).logits == 7).all(1)
    assert 140 < by_network.sum() < 260


def test_weights_start_with_torchs_own_spread():
    torch.manual_seed(0)
    model = AudioCNNForAudioClassification(tiny_config(hidden_sizes=[8, 32]))
    reference = torch.nn.Conv2d(32, 32, 3)
    assert model.backbone.blocks[0].conv2.weight.std().item() == pytest.approx(reference.weight.std().item(), rel=0.15)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_channels_last_gives_the_same_scores(backbone):
    model = trained_looking_model(tiny_config(backbone=backbone))
    x = torch.randn(3, 5000) * 0.1
    with torch.no_grad():
        expected = model(x).logits
        torch.testing.assert_close(model.to(memory_format=torch.channels_last)(x).logits, expected)


def test_replicas_without_parameters_run_as_data_parallel_makes_them():
    model = trained_looking_model(tiny_config())
    x = torch.randn(2, 4000) * 0.1
    expected = model(x).logits
    for module in model.modules():  # as torch.nn.parallel.replicate leaves them: tensors in place of parameters
        for name, parameter in list(module._parameters.items()):
            del module._parameters[name]
            setattr(module, name, None if parameter is None else parameter.data)
    torch.testing.assert_close(model(x).logits, expected)


def test_autocast_and_half_precision_weights_stay_close():
    model = trained_looking_model(tiny_config())
    x = torch.from_numpy(np.stack([tone(h) for h in (300, 900, 2500)]))
    with torch.no_grad():
        expected = model(x).logits
        with torch.autocast("cpu", torch.bfloat16):
            autocast = model(x).logits
        cast = model.to(torch.bfloat16)(x).logits
    spread = expected.std()
    assert (autocast - expected).abs().max() < 0.1 * spread
    assert (cast - expected).abs().max() < 0.15 * spread
    assert autocast.dtype == cast.dtype == torch.float32


def test_saved_in_bfloat16_it_loads_with_a_float32_front_end(tmp_path):
    model = trained_looking_model(tiny_config()).to(torch.bfloat16)
    model.save_pretrained(tmp_path)
    loaded = AudioCNNForAudioClassification.from_pretrained(tmp_path).eval()
    assert loaded.dtype == torch.bfloat16
    assert {buffer.dtype for buffer in loaded.frontend.buffers()} == {torch.float32}
    x = torch.from_numpy(tone(700))[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded(x).logits, model(x).logits, atol=0.05, rtol=0.05)


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_export_keeps_batch_and_length_dynamic(frontend):
    model = trained_looking_model(tiny_config(frontend=frontend))
    shapes = {
        "input_values": {
            0: torch.export.Dim("batch", max=64),
            1: torch.export.Dim("length", min=model.config.min_samples, max=80_000),
        }
    }
    example = (torch.randn(2, 8000) * 0.1,)
    exported = torch.export.export(model, example, dynamic_shapes=shapes).module()
    for batch, length in ((1, 900), (5, 20_000)):
        x = torch.randn(batch, length) * 0.1
        with torch.no_grad():
            torch.testing.assert_close(exported(x).logits, model(x).logits, atol=1e-5, rtol=1e-4)


@pytest.mark.exhaustive  # as `hf-audio export` writes them, ONNX files are tested in test_onnx.py
def test_onnx_runtime_gives_the_same_scores(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = trained_looking_model(tiny_config(center_features=True))
    shapes = {"input_values": {0: torch.export.Dim("batch"), 1: torch.export.Dim("length", min=800)}}
    path = tmp_path / "model.onnx"
    program = torch.onnx.export(
        model, (torch.randn(2, 8000) * 0.1,), dynamo=True, dynamic_shapes=shapes, input_names=["input_values"]
    )
    program.save(path)
    session = onnxruntime.InferenceSession(path)
    for batch, length in ((1, 900), (3, 20_000)):
        x = torch.randn(batch, length) * 0.1
        with torch.no_grad():
            expected = model(x).logits.numpy()
        np.testing.assert_allclose(session.run(None, {"input_values": x.numpy()})[0], expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("backbone", BACKBONES)
def test_compiles(backbone):
    model = trained_looking_model(tiny_config(backbone=backbone))
    x = torch.randn(2, 6000) * 0.1
    with torch.no_grad():
        compiled = torch.compile(model, backend="aot_eager")(x).logits
        torch.testing.assert_close(compiled, model(x).logits, atol=1e-5, rtol=1e-4)


def test_loss_of_hard_soft_and_multiple_labels():
    logits = torch.randn(5, 3)
    labels = torch.tensor([0, 1, 2, 1, 0])
    one_hot = torch.nn.functional.one_hot(labels, 3).float()
    single = tiny_config()
    expected = torch.nn.functional.cross_entropy(logits, labels)
    torch.testing.assert_close(classification_loss(logits, labels, single), expected)
    torch.testing.assert_close(classification_loss(logits, one_hot, single), expected)
    torch.testing.assert_close(
        classification_loss(logits, one_hot, single, label_smoothing=0.1),
        torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1),
    )
    multiple = tiny_config(problem_type="multi_label_classification")
    expected = torch.nn.functional.binary_cross_entropy(logits.sigmoid(), one_hot)
    torch.testing.assert_close(classification_loss(logits, one_hot, multiple), expected)


def test_loss_weighs_clips():
    weights = torch.tensor([1, 0.25, 0, 1, 0.5])
    for config, targets in (
        (tiny_config(), torch.randint(0, 3, (5,))),
        (tiny_config(), torch.rand(5, 3).softmax(1)),
        (tiny_config(problem_type="multi_label_classification"), torch.randint(0, 2, (5, 3))),
        (tiny_config(num_digits=2), torch.randint(0, 10, (5, 2))),
    ):
        scores = torch.randn(5, config.num_labels)
        for options in ({}, {"label_smoothing": 0.1}, {"robustness": 0.7}):
            each = [classification_loss(scores[i : i + 1], targets[i : i + 1], config, **options) for i in range(5)]
            told = classification_loss(scores, targets, config, weights=weights, **options)
            torch.testing.assert_close(told, (torch.stack(each) * weights).mean())
            even = classification_loss(scores, targets, config, weights=torch.ones(5), **options)
            torch.testing.assert_close(even, classification_loss(scores, targets, config, **options))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.01, 1), st.sampled_from([0.0, 0.2]), st.integers(0, 99))
def test_robust_loss_is_the_generalised_cross_entropy(q, smoothing, seed):
    generator = np.random.default_rng(seed)
    logits, labels = 3 * generator.standard_normal((4, 3)), generator.integers(0, 3, 4)
    soft = generator.dirichlet(np.ones(3), 4)
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    for targets, given_labels in ((np.eye(3)[labels], torch.from_numpy(labels)), (soft, torch.from_numpy(soft))):
        targets = targets * (1 - smoothing) + smoothing / 3
        expected = (targets * (1 - likely**q) / q).sum(1).mean()
        options = {"label_smoothing": smoothing, "robustness": q}
        told = classification_loss(torch.from_numpy(logits), given_labels, tiny_config(), **options)
        assert told.item() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_hardly_robust_loss_is_the_cross_entropy():
    logits, config = torch.randn(6, 3), tiny_config()
    for labels in (torch.randint(0, 3, (6,)), torch.rand(6, 3).softmax(1)):
        plain = classification_loss(logits, labels, config)
        gaps = [plain - classification_loss(logits, labels, config, robustness=q) for q in (0.5, 0.1, 0.01)]
        assert gaps[0] > gaps[1] > 5 * gaps[2] > 0  # almost in proportion


def test_a_label_that_contradicts_all_weighs_less_in_a_robust_loss():
    gradients = []
    for robustness in (0.0, 0.7):
        logits = torch.tensor([[6.0, 0, 0], [0.5, 0, 0]], requires_grad=True)
        classification_loss(logits, torch.tensor([1, 1]), tiny_config(), robustness=robustness).backward()
        gradients.append(logits.grad.abs().sum(1))
    (plain_wrong, plain_doubtful), (wrong, doubtful) = gradients
    assert plain_wrong > plain_doubtful and wrong < 0.1 * doubtful


def test_gradients_of_a_robust_loss_are_finite_however_sure_the_model_is():
    logits = torch.tensor([[120.0, 0, 0]], requires_grad=True)
    classification_loss(logits, torch.tensor([0]), tiny_config(), robustness=0.5).backward()
    assert logits.grad.isfinite().all()


def test_loss_and_probabilities_of_a_number_are_those_of_its_digits():
    config = tiny_config(num_digits=4)
    logits, labels = torch.randn(5, 40), torch.randint(0, 10, (5, 4))
    per_digit = [torch.nn.functional.cross_entropy(logits[:, 10 * i : 10 * i + 10], labels[:, i]) for i in range(4)]
    torch.testing.assert_close(classification_loss(logits, labels, config), torch.stack(per_digit).mean())
    soft = torch.nn.functional.one_hot(labels, 10).flatten(1).float()
    torch.testing.assert_close(classification_loss(logits, soft, config), torch.stack(per_digit).mean())
    no_number = torch.cat([labels[:4], torch.full((1, 4), -1)])
    even = torch.cat([soft[:4], torch.full((1, 40), 0.1)])
    for smoothing in (0.0, 0.2):
        torch.testing.assert_close(
            classification_loss(logits, no_number, config, smoothing),
            classification_loss(logits, even, config, smoothing),
        )
    digits = probabilities(logits, config)
    torch.testing.assert_close(digits[:, 10:20], logits[:, 10:20].softmax(-1))
    assert digits.shape == logits.shape


def test_return_dict_false_gives_a_tuple():
    model = trained_looking_model(tiny_config())
    x = torch.randn(2, 4000)
    (logits,) = model(x, return_dict=False)
    loss, again = model(x, labels=torch.tensor([0, 1]), return_dict=False)
    assert loss.dim() == 0 and torch.equal(logits, again)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def test_a_folder_holds_safetensors_and_its_code(checkpoint):
    names = {path.name for path in checkpoint.iterdir()}
    assert {"model.safetensors", "config.json", "preprocessor_config.json"} < names
    code = {"modeling_audio_cnn.py", "configuration_audio_cnn.py", "feature_extraction_audio_cnn.py"}
    assert code | {"frontends.py", "backbones.py"} < names
    config = json.loads((checkpoint / "config.json").read_text())
    assert config["auto_map"] == {
        "AutoConfig": "configuration_audio_cnn.AudioCNNConfig",
        "AutoModel": "modeling_audio_cnn.AudioCNNModel",
        "AutoModelForAudioClassification": "modeling_audio_cnn.AudioCNNForAudioClassification",
    }
    assert "AutoFeatureExtractor" in json.loads((checkpoint / "preprocessor_config.json").read_text())["auto_map"]


def test_the_constants_of_the_front_end_are_not_stored(checkpoint):
    from safetensors import safe_open

    with safe_open(checkpoint / "model.safetensors", "pt") as file:
        assert not [name for name in file.keys() if name.startswith("frontend")]  # noqa: SIM118


def test_auto_classes_load_it_with_the_same_scores(checkpoint):
    assert isinstance(AutoConfig.from_pretrained(checkpoint), AudioCNNConfig)
    assert isinstance(AutoFeatureExtractor.from_pretrained(checkpoint), AudioCNNFeatureExtractor)
    model = AutoModelForAudioClassification.from_pretrained(checkpoint).eval()
    assert isinstance(model, AudioCNNForAudioClassification)
    x = torch.from_numpy(tone(700))[None]
    with torch.no_grad():
        expected = trained_looking_model(model.config)(x).logits
        torch.testing.assert_close(model(x).logits, expected)


@pytest.mark.slow
def test_a_fresh_process_without_hf_audio_gives_the_same_scores_and_embeddings(checkpoint, tmp_path):
    np.save(tmp_path / "clip.npy", tone(700))
    code = """
import json, sys
sys.modules["hf_audio"] = None  # as on a machine where it is not installed: importing it fails
import numpy as np
import torch
from transformers import AutoModel, pipeline
folder, clip = sys.argv[1:]
samples = np.load(clip)
classify = pipeline("audio-classification", model=folder, trust_remote_code=True)
answer = classify({"raw": samples, "sampling_rate": 8000}, top_k=3)
model = AutoModel.from_pretrained(folder, trust_remote_code=True)
with torch.no_grad():
    embedding = model(torch.from_numpy(samples)[None]).pooler_output[0]
print(json.dumps([answer, embedding.tolist()]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint), str(tmp_path / "clip.npy")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    there, embedding = json.loads(done.stdout.splitlines()[-1])
    here = pipeline("audio-classification", model=str(checkpoint))({"raw": tone(700), "sampling_rate": 8000}, top_k=3)
    assert [answer["label"] for answer in there] == [answer["label"] for answer in here]
    np.testing.assert_allclose([a["score"] for a in there], [a["score"] for a in here], atol=1e-6)
    assert sum(answer["score"] for answer in there) == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        own = AutoModel.from_pretrained(checkpoint)(torch.from_numpy(tone(700))[None]).pooler_output[0]
    np.testing.assert_allclose(embedding, own.numpy(), atol=1e-5)


def test_push_to_hub_uploads_weights_config_and_code(checkpoint, monkeypatch):
    model = AudioCNNForAudioClassification.from_pretrained(checkpoint)
    uploaded = {}

    def create_commit(self, repo_id, operations, **kwargs):
        uploaded[repo_id] = {operation.path_in_repo for operation in operations}

    monkeypatch.setattr("huggingface_hub.HfApi.create_commit", create_commit)
    monkeypatch.setattr(
        "huggingface_hub.HfApi.create_repo",
        lambda self, repo_id, **kwargs: __import__("huggingface_hub").RepoUrl(f"https://huggingface.co/{repo_id}"),
    )
    model.push_to_hub("someone/tones")
    assert {"config.json", "model.safetensors", "modeling_audio_cnn.py", "frontends.py"} <= uploaded["someone/tones"]


@pytest.mark.parametrize("kind", [*SELECTING, {"backbone": "cnn3", "pooling": "max"}], ids=str)
def test_saved_and_loaded_it_scores_the_same(kind, tmp_path):
    model = trained_looking_model(tiny_config(**kind))
    model.save_pretrained(tmp_path)
    loaded = AutoModelForAudioClassification.from_pretrained(tmp_path).eval()
    assert loaded.config.to_diff_dict() == model.config.to_diff_dict()
    x = torch.from_numpy(np.stack([tone(700, 0.3), tone(2000, 0.3)]))
    with torch.no_grad():
        torch.testing.assert_close(loaded(x).logits, model(x).logits)


def test_a_head_of_another_size_can_be_put_on(checkpoint):
    model = AudioCNNForAudioClassification.from_pretrained(checkpoint, num_labels=7, ignore_mismatched_sizes=True)
    assert model(torch.zeros(1, 4000)).logits.shape == (1, 7)


def test_a_mask_with_padding_in_front_is_refused():
    model = AudioCNNForAudioClassification(tiny_config(num_labels=3)).eval()
    mask = torch.ones(2, RATE, dtype=torch.long)
    mask[1, :100] = 0
    with pytest.raises(ValueError, match="begins with zeros: pad clips on the right"):
        model(torch.zeros(2, RATE), attention_mask=mask)
    model(torch.zeros(2, RATE), attention_mask=mask.flip(1))


FRAME_KINDS = [FRAMES, {**FRAMES, "backbone": "conv1d", "frontend": "mfcc"}, {**FRAMES, "stem_stride": 2}]


@pytest.mark.parametrize("kind", FRAME_KINDS, ids=["resnet", "conv1d", "stride"])
def test_frames_are_those_of_the_clip_however_it_is_padded_and_the_clip_follows_from_them(kind):
    model = trained_looking_model(tiny_config(**kind, temperature=2.0))
    for n_samples in (4000, 3999, 800, 500):
        clip = torch.from_numpy(tone(700, 0.5))[None, :n_samples]
        padded, mask = torch.randn(2, 4400), torch.ones(2, 4400)
        padded[0, :n_samples], mask[0, n_samples:] = clip[0], 0
        with torch.no_grad():
            alone = model(clip, output_frame_logits=True)
            among = model(padded, mask, output_frame_logits=True)
        n_frames = model.config.count_frames(n_samples)
        assert alone.frame_logits.shape == (1, n_frames, 3)
        assert among.frame_logits.shape == (2, model.config.count_frames(4400), 3)
        torch.testing.assert_close(among.frame_logits[:1, :n_frames], alone.frame_logits, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(among.logits[:1], alone.logits, atol=1e-5, rtol=1e-4)
        frames = (2 * alone.frame_logits[0]).sigmoid()  # before the temperature, which is the clip's too
        expected = (frames.square().sum(0) / frames.sum(0)).logit() / 2
        torch.testing.assert_close(alone.logits[0], expected, atol=1e-4, rtol=1e-4)
        assert model(clip, return_dict=False)[0].shape == (1, 3)  # no frames where nobody asks for them


def test_a_frame_is_of_the_moment_at_which_it_lies():
    model = trained_looking_model(tiny_config(**FRAMES))
    quiet, loud = 1e-3 * torch.randn(1, 8000), torch.zeros(1, 8000)
    loud[:, 4000:4160] = torch.from_numpy(tone(700, 0.02))
    with torch.no_grad():
        before, after = (model(each, output_frame_logits=True).frame_logits[0] for each in (quiet, quiet + loud))
    changes = (after - before).abs().sum(1)
    centre = (changes * torch.arange(len(changes))).sum() / changes.sum()
    assert abs(float(centre + 0.5) * model.config.frame_seconds - 0.51) < model.config.frame_seconds


def test_frames_are_learnt_from_their_labels_and_the_clips():
    model = AudioCNNForAudioClassification(tiny_config(**FRAMES)).eval()
    clips, labels = torch.randn(2, 4000), torch.tensor([[1, 0, 1], [0, 0, 1]])
    frame_targets = torch.rand(2, model.config.count_frames(4000), 3).round()
    frame_targets[0, 3:], frame_targets[1, :, 1] = -100, -100
    output = model(clips, labels=labels, frame_targets=frame_targets)
    known = frame_targets >= 0
    of_frames = F.binary_cross_entropy_with_logits(output.frame_logits[known], frame_targets[known])
    of_clips = F.binary_cross_entropy_with_logits(output.logits, labels.float())
    torch.testing.assert_close(output.loss, of_frames + of_clips)
    torch.testing.assert_close(model(clips, frame_targets=frame_targets).loss, of_frames)
    unknown = model(clips, labels=labels, frame_targets=torch.full_like(frame_targets, -100))
    torch.testing.assert_close(unknown.loss, of_clips)


def test_clips_of_frames_that_are_sure_have_logits_and_gradients_that_are_finite():
    logits = torch.tensor([[[200.0, -200.0]] * 4, [[-300.0, 300.0]] * 4], requires_grad=True)
    pooled = pool_frame_logits(logits, None)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, logits[:, 0])
    assert logits.grad.isfinite().all()
