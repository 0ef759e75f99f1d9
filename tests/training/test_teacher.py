"""Who may teach a small network, and what it is taught."""

import json
import logging
import shutil
import sys

import numpy as np
import pytest
import torch
from helpers import tones
from helpers.checkpoints import tiny_config, trained_looking_model, weights
from helpers.recordings import RATE, write_tones
from helpers.tiny_encoders import save_encoder
from helpers.trainers import noise_clips, trainer
from transformers import AutoModelForAudioClassification

import hf_audio.training.trainer
from hf_audio import AudioCNNFeatureExtractor
from hf_audio.arguments import RecipeArguments
from hf_audio.data.rows import (
    BELIEVED_COLUMN,
    TAUGHT_COLUMN,
    UNVERIFIED_COLUMN,
    add_unlabelled,
    load_class_folders,
)
from hf_audio.errors import ArgumentError
from hf_audio.inference.torch_classifier import TorchAudioClassifier
from hf_audio.training.start import run_recipe
from hf_audio.training.teacher import employ_teacher, judge_once

NAMES = ("high", "low", "mid")


def named(labels) -> dict:
    return {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}


def employ(tmp_path, teacher, dataset, held_out=(), data_dir=None, **changes):
    args = RecipeArguments(
        output_dir=str(tmp_path / "out"), teacher=str(teacher), data_dir=data_dir, use_cpu=True, report_to="none"
    )
    return employ_teacher(args, tiny_config(**{**named(NAMES), **changes}), dataset, list(held_out))


@pytest.fixture
def encoder(tmp_path):
    """A plain folder of transformers that knows the tones, in an order of its own and at another rate."""
    return save_encoder(tmp_path / "encoder", "wav2vec2", **named(("mid", "high", "low")))


def test_an_encoder_judges_every_clip_once_and_by_the_names_of_the_classes(tmp_path, encoder, caplog, monkeypatch):
    dataset = load_class_folders(write_tones(tmp_path / "tones")).select(range(0, 36, 4))
    with caplog.at_level(logging.WARNING):
        taught, teacher = employ(tmp_path, encoder, dataset)
    assert teacher is None and "cannot be checked" in caplog.text
    judge = TorchAudioClassifier(encoder, device="cpu")
    for path, scores in zip(dataset["path"], taught[TAUGHT_COLUMN], strict=True):
        alone = {answer["label"]: answer["score"] for answer in judge(path)}
        np.testing.assert_allclose(scores, [alone[name] for name in NAMES], atol=1e-5)
    assert np.ptp(taught[TAUGHT_COLUMN], axis=0).max() > 1e-4, "the clips differ"

    heard = []
    judged = TorchAudioClassifier.judge
    monkeypatch.setattr(
        TorchAudioClassifier, "judge", lambda self, clips: heard.append(len(clips)) or judged(self, clips)
    )
    again, _ = employ(tmp_path, encoder, dataset.select([2, 0]))
    assert not heard, "another run, and a part of the clips"
    assert again[TAUGHT_COLUMN][1] == taught[TAUGHT_COLUMN][0]
    changed = dataset["path"][3]
    shutil.copy(dataset["path"][8], changed)
    employ(tmp_path, encoder, dataset)
    assert heard == [1], "a file that has changed is judged again"
    model = AutoModelForAudioClassification.from_pretrained(encoder)
    model.classifier.bias.data += 1
    model.save_pretrained(encoder)
    employ(tmp_path, encoder, dataset)
    assert heard == [1, 9], "other weights judge anew"


def test_of_clips_without_a_label_the_answers_are_learnt(tmp_path, encoder):
    tones_folder = write_tones(tmp_path / "tones")
    labelled = load_class_folders(tones_folder).select(range(0, 36, 4))
    both = add_unlabelled(labelled, [labelled["path"][0], *load_class_folders(tones_folder)["path"][1:6:2]])
    assert len(both) == len(labelled) + 3, "a clip that has a label keeps it"
    taught, _ = employ(tmp_path, encoder, both)
    scores = np.array(taught[TAUGHT_COLUMN])
    assert taught["label"][:] == [*labelled["label"][:], *scores[-3:].argmax(1)]
    np.testing.assert_allclose(taught[BELIEVED_COLUMN], [*np.eye(3)[labelled["label"][:]], *scores[-3:]], atol=1e-6)
    assert taught[UNVERIFIED_COLUMN][:] == [False] * len(labelled) + [True] * 3
    assert taught.features["label"] == labelled.features["label"]
    # A teacher that listens along is asked for them alone.
    student = trained_looking_model(tiny_config(**named(NAMES)))
    student.save_pretrained(tmp_path / "like")
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path / "like")
    heard, teacher = employ(tmp_path, tmp_path / "like", both, sampling_rate=RATE)
    assert teacher is not None and TAUGHT_COLUMN not in heard.column_names
    assert heard[BELIEVED_COLUMN][:9] == np.eye(3)[labelled["label"][:]].tolist()
    np.testing.assert_allclose(np.sum(heard[BELIEVED_COLUMN], axis=1), 1, atol=1e-5)


def test_a_killed_run_keeps_what_was_judged(tmp_path, encoder, monkeypatch):
    paths = list(load_class_folders(write_tones(tmp_path / "tones"))["path"])
    judge = TorchAudioClassifier(encoder, device="cpu")
    monkeypatch.setattr("hf_audio.training.teacher.JUDGED_TOGETHER", 10)
    heard, judged = [], judge.judge

    def judge_twenty(clips):
        if sum(heard) == 20:
            raise KeyboardInterrupt
        heard.append(len(clips))
        return judged(clips)

    monkeypatch.setattr(judge, "judge", judge_twenty)
    with pytest.raises(KeyboardInterrupt):
        judge_once(judge, paths)
    heard.clear()
    assert judge_once(judge, paths).shape == (36, 3) and sum(heard) == 16


def save_audio_cnn(folder, labels, **changes):
    model = trained_looking_model(tiny_config(**named(labels), **changes))
    model.save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=model.config.sampling_rate).save_pretrained(folder)
    return folder


def test_an_audio_cnn_of_the_same_rate_hears_the_same_clips(tmp_path):
    folder = save_audio_cnn(tmp_path / "cnn", ("low", "mid", "high"))
    dataset = load_class_folders(write_tones(tmp_path / "tones"))
    clips, teacher = employ(tmp_path, folder, dataset)
    assert clips is dataset
    batch = torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    plain = AutoModelForAudioClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        torch.testing.assert_close(teacher(input_values=batch), plain(batch).logits[:, [2, 0, 1]])
    assert not teacher.training and not any(weight.requires_grad for weight in teacher.parameters())
    other = save_audio_cnn(tmp_path / "other", NAMES, sampling_rate=16000, n_fft=512, win_length=400, hop_length=160)
    clips, teacher = employ(tmp_path, other, dataset.select(range(2)))
    assert teacher is None and TAUGHT_COLUMN in clips.column_names, "of another rate, it hears the clips as they are"


def test_a_run_is_still_asked_what_it_has_held_out(tmp_path, encoder):
    dataset = load_class_folders(write_tones(tmp_path / "tones")).select(range(2))
    (encoder / "predictions.csv").write_text("path,label,prediction,score\nlow/3.wav,low,low,0.9\n")
    held_out = str(tmp_path / "tones" / "mid" / "3.wav")
    with pytest.raises(ArgumentError, match=r"may have learnt clips that are held out here, .*3\.wav"):
        employ(tmp_path, encoder, dataset, held_out=[held_out, str(tmp_path / "tones" / "low" / "3.wav")])
    (encoder / "training_args.json").write_text('{"data_dir": "other/corpus"}')
    with pytest.raises(ArgumentError, match=r"on other recordings, other/corpus, and does not tell whether .*3\.wav"):
        employ(tmp_path, encoder, dataset, held_out=[held_out])
    (encoder / "predictions.csv").unlink()  # as the sentence says
    employ(tmp_path, encoder, dataset, held_out=[held_out])


def test_clips_of_another_corpus_with_the_same_names_were_not_held_out(tmp_path, encoder, caplog):
    own, other = write_tones(tmp_path / "own"), write_tones(tmp_path / "other")
    dataset = load_class_folders(own).select(range(2))
    (encoder / "predictions.csv").write_text(
        "path,label,prediction,score\nlow/3.wav,low,low,0.9\nmid/3.wav,mid,mid,1\n"
    )
    held_out = [str(own / "low" / "3.wav"), str(own / "mid" / "3.wav")]
    for source in (own, own / "low" / "..", tmp_path):
        (encoder / "training_args.json").write_text(json.dumps({"data_dir": str(source)}))
        employ(tmp_path, encoder, dataset, held_out, data_dir=str(own))
    assert "same names" not in caplog.text

    (encoder / "training_args.json").write_text(json.dumps({"data_dir": str(other)}))
    with pytest.raises(ArgumentError, match=r"was trained on other recordings, .*other, .* low/3\.wav for one"):
        employ(tmp_path, encoder, dataset, held_out, data_dir=str(own))
    (encoder / "training_args.json").write_text(json.dumps({"dataset_name": "somebody/tones"}))
    with pytest.raises(ArgumentError, match=r"was trained on other recordings, somebody/tones, "):
        employ(tmp_path, encoder, dataset, held_out, data_dir=str(own))

    # A corpus that is no longer where it was may be this one.
    (encoder / "training_args.json").write_text(json.dumps({"data_dir": str(tmp_path / "gone")}))
    employ(tmp_path, encoder, dataset, held_out, data_dir=str(own))
    assert "of the same names as are held out here, from" in caplog.text and "cannot be checked" in caplog.text


def test_who_cannot_teach_is_refused_in_a_sentence(tmp_path, encoder):
    dataset = load_class_folders(write_tones(tmp_path / "tones")).select(range(2))
    with pytest.raises(ArgumentError, match=r"knows 3 classes and this task has 3, and 'high' is not of both"):
        employ(tmp_path, encoder, dataset, **named(("low", "mid", "treble")))
    with pytest.raises(ArgumentError, match=r"gives one label a clip, unlike this task"):
        employ(tmp_path, encoder, dataset, problem_type="multi_label_classification")
    with pytest.raises(ArgumentError, match=r"reads 0 digits, and this task has 2"):
        employ(tmp_path, encoder, dataset, id2label=None, label2id=None, num_digits=2, num_labels=20)
    with pytest.raises(ArgumentError, match=r"someone/nothing is no audio classifier that can be loaded"):
        employ(tmp_path, "someone/nothing", dataset)
    with pytest.raises(ArgumentError, match=r"holds no finished run and no other checkpoint"):
        employ(tmp_path, tmp_path / "tones", dataset)


def test_scores_are_mixed_as_labels_are(tmp_path, monkeypatch):
    table = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4]])
    clips = noise_clips(24)
    dataset = clips.add_column(TAUGHT_COLUMN, list(table[clips["label"][:]]))
    seen = {}

    def watch(name):
        loss = getattr(hf_audio.training.trainer, name)

        def watched(logits, targets, *args, **kwargs):
            seen[name] = targets
            return loss(logits, targets, *args, **kwargs)

        monkeypatch.setattr(hf_audio.training.trainer, name, watched)

    watch("classification_loss")
    watch("distillation_loss")
    run = trainer(tmp_path, dataset=dataset, max_steps=1, mixup_alpha=1.0)
    run.train()
    flattened = torch.tensor(table, dtype=torch.float32).sqrt()
    flattened /= flattened.sum(1, keepdim=True)
    mixed = seen["classification_loss"]
    assert ((mixed > 0.05) & (mixed < 0.95)).any(), "nothing was mixed"
    torch.testing.assert_close(seen["distillation_loss"], mixed @ flattened)


def test_a_loss_with_scores_is_what_the_formula_gives(tmp_path):
    torch.manual_seed(0)
    scores = torch.rand(24, 3).softmax(-1)
    dataset = noise_clips(24).add_column(TAUGHT_COLUMN, scores.tolist())
    model = trained_looking_model(tiny_config())
    run = trainer(tmp_path, model, dataset, max_steps=1, learning_rate=0.0)
    batch = run.data_collator([run.train_dataset[i] for i in range(24)])
    logits = model.train()(batch["input_values"]).logits
    loss = run.compute_loss(model.train(), dict(batch))
    by_hand = 0.3 * torch.nn.functional.cross_entropy(logits, batch["labels"])
    target = (scores.log() / 2).softmax(-1)
    learnt = (logits / 2).log_softmax(-1)
    by_hand += 0.7 * 4 * (target * (target.log() - learnt)).sum(1).mean()
    torch.testing.assert_close(loss, by_hand, atol=1e-4, rtol=1e-4)


def test_a_small_network_learns_what_an_encoder_says(tmp_path, encoder, monkeypatch):
    data = write_tones(tmp_path / "tones")
    model = AutoModelForAudioClassification.from_pretrained(encoder)
    model.classifier.bias.data[:] = torch.tensor([0.0, 0.0, 5.0])  # sure of "low", whatever it hears
    model.save_pretrained(encoder)
    flags = ["--num_train_epochs", "4", "--dataloader_num_workers", "0", "--mixup_alpha", "0.3", "--bf16", "false"]
    for name, further in {"taught": ["--teacher", str(encoder)], "alone": []}.items():
        argv = ["tones.py", "--data_dir", str(data), "--output_dir", str(tmp_path / name), *flags, *further]
        monkeypatch.setattr(sys, "argv", argv)
        run_recipe(tones.make_task, tones.TonesArguments)
    shares = {}
    for name in ("taught", "alone"):
        rows = [line.split(",") for line in (tmp_path / name / "predictions.csv").read_text().splitlines()]
        place = rows[0].index("prediction")
        shares[name] = np.mean([row[place] == "low" for row in rows[1:]])
        assert json.loads((tmp_path / name / "config.json").read_text())["model_type"] == "audio_cnn"
    assert shares["taught"] > shares["alone"]
    assert set(weights(tmp_path / "taught")) == set(weights(tmp_path / "alone"))
