"""A model that was shown a place's background says "none of these", whatever runs it."""

import json

import numpy as np
import pytest
import soundfile
from datasets import ClassLabel, Dataset
from helpers.checkpoints import results, tiny_config, trained_looking_model
from helpers.commands import run
from helpers.recordings import RATE, tone
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hf_audio.arguments import RecipeArguments
from hf_audio.data.background import add_none, load_background
from hf_audio.errors import ArgumentError, DataError
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.streaming import AudioStream
from hf_audio.models.configuration_audio_cnn import NONE_OF_THESE
from hf_audio.recipe_flags import parse_arguments
from hf_audio.runs.rejection import FIT_PART, TEST_PART, Rejection, fit_margin, margins, sparing_margin
from hf_audio.runs.scores import read_scores
from hf_audio.training.batching.batches import BackgroundSampler, BalancedSampler

CLASSES = ["low", "mid", "high"]


def write_noise(folder, seconds, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    noise = 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    soundfile.write(folder / f"noise {seed}.wav", noise, RATE, subtype="FLOAT")
    return noise


def write_broken(folder):
    folder.mkdir()
    (folder / "a.wav").write_bytes(b"RIFF")


def clips(names=CLASSES):
    """Two decoded clips, of which one in between could not be used."""
    rows = {"path": ["x", "y"], "label": [0, 1], "audio": [b"", b""], "index": [7, 9]}
    return Dataset.from_dict(rows).cast_column("label", ClassLabel(names=list(names)))


def read(folder, seed=0):
    return load_background(folder, RATE, 1.0, add_none(clips()), seed)


def rows_of(background):
    return [row for part in (background.train, background.fit, background.test) for row in part]


def test_one_recording_is_cut_in_time_and_heard_once(tmp_path):
    noise = write_noise(tmp_path / "place", 30)
    background = read(tmp_path / "place")
    assert [len(part) for part in (background.train, background.fit, background.test)] == [18, 6, 6]
    rows = rows_of(background)
    heard = np.concatenate([np.frombuffer(row["audio"], "<i2") for row in rows]) / 32767
    assert np.abs(heard - noise).max() < 1e-4, "later parts are later in time"
    assert set(background.fit["label"]) == {3}
    assert background.fit.features["label"].names == [*CLASSES, NONE_OF_THESE]
    assert [row["index"] for row in rows] == list(range(10, 40)), "behind those of the clips"
    assert background.hours(background.test) == pytest.approx(6 / 3600)


def test_of_many_recordings_none_is_in_two_parts(tmp_path):
    for seed in range(25):
        write_noise(tmp_path / "place" / "at night", 2 + seed % 3, seed)
    (tmp_path / "place" / "broken.wav").write_bytes(b"RIFF")
    background = read(tmp_path / "place")
    held = [set(part["path"]) for part in (background.train, background.fit, background.test)]
    assert not held[0] & held[1] and not held[0] & held[2] and not held[1] & held[2]
    assert len(held[0] | held[1] | held[2]) == 25
    assert len(rows_of(background)) == sum(2 + seed % 3 for seed in range(25))
    assert 0.45 < len(background.train) / len(rows_of(background)) < 0.75
    other = read(tmp_path / "place", seed=1)
    assert set(other.train["path"]) != held[0]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda folder: None, "is not a folder"),
        (lambda folder: folder.mkdir(), "holds 0 windows"),
        (lambda folder: write_broken(folder), "holds 0 windows"),
        (lambda folder: write_noise(folder, 3), "holds 3 windows of 1 s that can be read, too few"),
    ],
)
def test_too_little_background_is_one_sentence(tmp_path, make, said):
    make(tmp_path / "place")
    with pytest.raises(DataError, match=said):
        read(tmp_path / "place")


def test_every_part_has_windows_however_unequal_the_recordings_are(tmp_path):
    for seed, seconds in enumerate([60, *[1.2] * 9]):
        write_noise(tmp_path / "one long", seconds, seed)
    for seed in range(6):
        write_noise(tmp_path / "few short", 2, seed)
    for name in ("one long", "few short"):
        background = read(tmp_path / name)
        assert min(len(part) for part in (background.train, background.fit, background.test)) > 0


def test_a_class_of_the_backgrounds_name_is_refused():
    with pytest.raises(DataError, match="rename it"):
        add_none(clips(["dog", NONE_OF_THESE]))


@given(st.integers(1, 30), st.integers(0, 60), st.booleans(), st.integers(0, 3))
def test_an_epoch_has_every_clip_and_no_more_background_than_clips(n_known, n_background, balanced, epoch):
    background = np.random.default_rng(0).permutation(np.arange(n_known + n_background) < n_background)
    known = BalancedSampler(np.arange(n_known) % 2, seed=0) if balanced else None
    sampler = BackgroundSampler(background, 0, known)
    sampler.set_epoch(epoch)
    rows = list(sampler)
    assert len(rows) == len(sampler)
    assert set(np.flatnonzero(~background)) <= set(rows)
    n_drawn = background[rows].sum()
    assert n_drawn == min(n_background, len(rows) - n_drawn)
    assert len({row for row in rows if background[row]}) == n_drawn
    assert rows == list(sampler)


@settings(max_examples=200)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=60), st.floats(0.01, 2000), st.floats(0.001, 2))
def test_the_margin_keeps_the_stated_number_of_false_alarms_and_is_the_least_that_does(above, rate, hours):
    above, allowed = np.array(above), int(rate * hours)
    margin = fit_margin(above, rate, hours)
    assert (above > margin).sum() <= allowed
    if 0 < allowed < len(above):
        assert (above > margin - 0.002).sum() > allowed
    if allowed == 0:
        assert margin >= 0, "too little background to be less strict than the network is by itself"


@given(st.integers(0, 1000), st.integers(1, 60))
def test_without_a_stated_number_the_margin_costs_no_validation_clip(seed, n):
    rng = np.random.default_rng(seed)
    logits, labels = rng.normal(size=(n, 4)), rng.integers(0, 3, n)
    right = logits[:, :3].argmax(1) == labels
    margin = sparing_margin(logits, labels)
    if right.any():
        assert margin <= margins(logits)[right].mean() - 3 * margins(logits)[right].std() + 1e-9
    logits[:, 3] += margin
    assert (logits.argmax(1) == labels)[right].all()


def test_the_figures_of_a_rejection():
    rng = np.random.default_rng(0)
    known, background = rng.normal(1, 1, 50), rng.normal(-1, 1, 70)
    rejection = Rejection(known, known > -1, background, hours=0.5, margin=0.7)
    told = rejection.metrics()
    scores = np.concatenate([known, background])
    assert told["rejection_auroc"] == pytest.approx(roc_auc_score(np.repeat([1, 0], [50, 70]), scores))
    assert told["false_alarms_per_hour"] == (background > 0).sum() / 0.5
    for margin, alarms, accuracy in rejection.table().rows:
        shift = float(margin.split()[0]) - 0.7
        assert float(alarms) == pytest.approx((background > shift + 0.005).sum() / 0.5, abs=2.01)
        assert float(accuracy) == pytest.approx(((known > shift) & (known > -1)).mean(), abs=0.021)


@pytest.fixture(scope="module")
def rejecting(tones, environment, tmp_path_factory):
    """A run on tones with white noise as the background, at a stated number of false alarms."""
    folder = tmp_path_factory.mktemp("rejecting")
    for seed in range(12):
        write_noise(folder / "place", 8, seed)
    flags = ("--background", str(folder / "place"), "--false_alarms_per_hour", "200", "--validation_fraction", "0.2")
    code, output = run(environment, tones, folder / "out", *flags, "--num_train_epochs", "20")
    assert code == 0, output
    return folder / "out"


def test_a_run_tells_known_sounds_from_the_background(rejecting):
    told = results(rejecting)
    assert told["eval_rejection_auroc"] > 0.95
    assert told["eval_accuracy"] > 0.7
    assert told["labels"] == ["high", "low", "mid", NONE_OF_THESE]
    card = (rejecting / "README.md").read_text()
    assert "rejection.png" in card and "`rejection_margin`" in card and "(as it is)" in card
    assert "Every clip gets an answer" not in card
    config = json.loads((rejecting / "config.json").read_text())
    assert config["rejection_margin"] != 0 and config["temperature"] != 1
    assert (rejecting / "rejection.png").stat().st_size > 5000


def test_what_a_run_says_of_held_out_background_is_kept_for_the_margin_of_an_ensemble(rejecting):
    parts, told = read_scores(rejecting), results(rejecting)
    seconds = json.loads((rejecting / "config.json").read_text())["clip_seconds"]
    hours = {part: len(parts[part].paths) * seconds / 3600 for part in (FIT_PART, TEST_PART)}
    alarms = {part: (parts[part].probabilities.argmax(1) != 3).sum() for part in (FIT_PART, TEST_PART)}
    assert alarms[TEST_PART] / hours[TEST_PART] == pytest.approx(told["eval_false_alarms_per_hour"])
    assert alarms[FIT_PART] == int(200 * hours[FIT_PART])
    names = [*parts[FIT_PART].paths, *parts[TEST_PART].paths]
    assert len(set(names)) == len(names) and all(name.startswith("noise ") for name in names)


def test_noise_is_none_of_these_whatever_runs_the_model(rejecting):
    from transformers import pipeline

    noise = (0.1 * np.random.default_rng(99).standard_normal(RATE)).astype(np.float32)
    beep = tone(905, 0.8)
    torch_classifier = load_classifier(rejecting)
    # ONNX files with a margin are compared by test_verification.py.
    runs = {"pipeline": pipeline("audio-classification", model=str(rejecting)), "classifier": torch_classifier}
    for name, classify in runs.items():
        assert classify(noise)[0]["label"] == NONE_OF_THESE, name
        assert classify(beep)[0]["label"] == "mid", name
    stream = AudioStream(torch_classifier, sampling_rate=RATE, hop_seconds=1.0)
    (event,) = [*stream.push(noise), *stream.flush()]
    assert torch_classifier.facts.name(event.scores, 1)[0]["label"] == NONE_OF_THESE


def test_the_margin_is_what_a_class_must_be_ahead_by():
    import torch

    names = {0: "a", 1: "b", 2: NONE_OF_THESE}
    config = tiny_config(id2label=names, label2id={name: i for i, name in names.items()}, temperature=2.0)
    model = trained_looking_model(config)
    waveforms = torch.from_numpy(np.stack([tone(hertz, 0.6) for hertz in (200, 700, 1500, 3000)]))
    with torch.no_grad():
        plain = model(waveforms).logits.numpy()
        model.config.rejection_margin = margin = float(np.median(margins(plain)))
        shifted = model(waveforms).logits.numpy()
    assert np.allclose(shifted[:, :2], plain[:, :2]) and np.allclose(shifted[:, 2], plain[:, 2] + margin)
    assert ((shifted.argmax(1) == 2) == (margins(plain) < margin)).all()
    with pytest.raises(Exception, match="needs 'none of these' as the last label"):
        tiny_config(rejection_margin=1.0)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--false_alarms_per_hour", "1"], "give their folder, --background"),
        (["--background", "x", "--false_alarms_per_hour", "0"], "must be above 0"),
        (["--background", "x", "--baseline"], "leave one out"),
    ],
)
def test_arguments_that_do_not_fit_are_one_sentence(tmp_path, flags, said):
    with pytest.raises(ArgumentError, match=said):
        parse_arguments(RecipeArguments, ["--output_dir", str(tmp_path), *flags])


def test_without_a_stated_number_some_clips_are_held_out_to_fit_the_margin(tmp_path):
    def fraction(*flags):
        return parse_arguments(RecipeArguments, ["--output_dir", str(tmp_path), *flags]).validation_fraction

    assert fraction() == fraction("--background", "x", "--false_alarms_per_hour", "5") == 0
    assert fraction("--background", "x") == 0.15
    assert fraction("--background", "x", "--validation_fraction", "0.3") == 0.3


def test_an_epoch_of_fewer_clips_than_a_batch_is_one_batch(tones, run_here, tmp_path):
    write_noise(tmp_path / "place", 120)
    flags = ("--background", str(tmp_path / "place"), "--false_alarms_per_hour", "60", "--max_steps", "1")
    code, output = run_here(tones, tmp_path / "out", *flags, "--per_device_train_batch_size", "64")
    assert code == 0, output
    assert results(tmp_path / "out")["train_samples"] == 27 + 72
