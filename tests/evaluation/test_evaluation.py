"""`hf-audio evaluate`, by small networks: figures on labelled clips and annotated recordings, and what is refused."""

import csv
import json
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from helpers.checkpoints import FRAMES, save_checkpoint
from helpers.recordings import RATE, tone, write_parquet, write_tar

import hf_audio
from hf_audio import cli
from hf_audio.data.annotations.annotated_recordings import Annotation
from hf_audio.errors import ArgumentError, DataError
from hf_audio.evaluation.events import JudgedRecordings
from hf_audio.inference.events import SoundEvent

NAMES = {0: "low", 1: "mid", 2: "high"}


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr("hf_audio.evaluation.events.DRAWS", 20)


@pytest.fixture(scope="module")
def annotated(tmp_path_factory) -> Path:
    """Six recordings of three seconds, a tone in each, one of a class that no checkpoint knows."""
    folder = tmp_path_factory.mktemp("annotated")
    rows = ["path,onset,offset,label"]
    for number, (label, hertz) in enumerate([("low", 300), ("high", 2500)] * 3):
        quiet = 0.01 * tone(100, 1.0, seed=number)
        sound = np.concatenate([quiet, tone(hertz, 1.0, seed=number), quiet])
        soundfile.write(folder / f"{number}.wav", sound, RATE)
        rows.append(f"{number}.wav,1.0,2.0,{label}")
    rows.append("0.wav,0.2,0.4,bat")
    (folder / "events.csv").write_text("\n".join(rows))
    return folder / "events.csv"


@pytest.fixture(scope="module")
def framed(tmp_path_factory) -> Path:
    names = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
    return save_checkpoint(tmp_path_factory.mktemp("framed"), **names, **FRAMES)


def test_labelled_clips_are_judged_as_a_training_judges_them(checkpoint, tone_folder, tmp_path, capsys):
    (tone_folder / "mid" / "broken.wav").write_text("no sound")
    (tone_folder / "dog").mkdir()
    soundfile.write(tone_folder / "dog" / "0.wav", tone(700), RATE)
    output = tmp_path / "evaluation"
    cli.main(["evaluate", str(checkpoint), str(tone_folder), "--output", str(output)])
    printed = capsys.readouterr().out
    answers = hf_audio.predict(checkpoint, [tone_folder])
    truth = answers["path"].map(lambda path: Path(path).parent.name)
    judged = answers[(truth != "dog") & answers["error"].isna()]
    accuracy = (judged["label"] == truth[judged.index]).mean()
    results = json.loads((output / "evaluation.json").read_text())
    assert results["eval_accuracy"] == pytest.approx(accuracy) and results["eval_samples"] == 36
    low, high = results["eval_accuracy_interval"]
    assert low < accuracy < high
    assert results["unknown_labels"] == {"dog": 1} and results["skipped_samples"] == 1
    assert f"{accuracy:.4f}" in printed and "'dog' (1)" in printed
    with (output / "predictions.csv").open(newline="") as file:
        assert [row["prediction"] for row in csv.DictReader(file)] == judged["label"].tolist()
    assert "broken.wav" in (output / "skipped.csv").read_text()
    report = (output / "evaluation.md").read_text()
    assert "How far confidence comes true" in report and "(confusion_matrix.png)" in report
    assert (output / "confusion_matrix.png").read_bytes()[:4] == b"\x89PNG"


def test_data_sets_and_shards_are_judged_as_their_files_are(checkpoint, tone_folder, tmp_path, monkeypatch):
    files = sorted(tone_folder.glob("*/*.wav"))
    rows = [(file.read_bytes(), file.name, file.parent.name) for file in files]
    write_parquet(tmp_path / "train" / "train-00000.parquet", rows[::4])  # which it may have been trained on
    write_parquet(tmp_path / "train" / "test-00000.parquet", rows)
    write_tar(tmp_path / "tars" / "test-00000.tar", rows)
    saved = {"audio": list(map(str, files)), "label": [file.parent.name for file in files]}
    datasets.Dataset.from_dict(saved).save_to_disk(tmp_path / "saved")
    figures = hf_audio.evaluate(checkpoint, data=tone_folder).judged.scores
    for name in ("train", "tars", "saved"):
        evaluation = hf_audio.evaluate(checkpoint, data=tmp_path / name, num_workers=0)
        assert np.array_equal(evaluation.judged.scores, figures), name
    compared = hf_audio.evaluate([checkpoint, checkpoint], data=tmp_path / "tars", num_workers=0)
    assert compared.differences["accuracy"].value == 0
    with pytest.raises(DataError, match="The data set nobody/nothing cannot be fetched"):
        hf_audio.evaluate(checkpoint, data="nobody/nothing")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="tars/tset is neither a folder nor a CSV"):
        hf_audio.evaluate(checkpoint, data="tars/tset")
    with pytest.raises(ArgumentError, match="--unannotated is of tables and annotations"):
        hf_audio.evaluate(checkpoint, data=tmp_path / "tars", unannotated="ignore")


def test_two_checkpoints_are_told_side_by_side(checkpoint, framed, tone_folder, annotated, tmp_path, capsys):
    other = save_checkpoint(tmp_path / "other", id2label=NAMES, label2id={"low": 0, "mid": 1, "high": 2}, n_mels=24)
    cli.main(["evaluate", str(checkpoint), str(other), "--data", str(tone_folder), "--output", str(tmp_path / "two")])
    results = json.loads((tmp_path / "two" / "evaluation.json").read_text())
    told = results["differences"]["accuracy"]
    assert told["difference"] == pytest.approx(results["second"]["eval_accuracy"] - results["first"]["eval_accuracy"])
    assert told["interval"][0] <= told["difference"] <= told["interval"][1]
    assert (tmp_path / "two" / "second" / "predictions.csv").is_file()
    assert f"{told['difference']:+.4f}" in capsys.readouterr().out
    events = hf_audio.evaluate([checkpoint, framed], data=annotated, threshold=0.4)
    assert set(events.differences) == {
        "event_f1",
        "event_f1_micro",
        "segment_f1",
        "segment_f1_micro",
        "psds1",
        "psds2",
    }


def test_events_of_annotated_recordings_are_judged(framed, annotated, tmp_path):
    evaluation = hf_audio.evaluate(framed, data=annotated, output=tmp_path / "events", threshold=0.3)
    judged = evaluation.judged
    assert judged.labels == ["low", "high"] and evaluation.results["unknown_labels"] == {"bat": 1}
    assert len(judged.paths) == 6 and judged.lengths == [3.0] * 6
    assert evaluation.results["eval_event_f1"] == judged.metrics()["event_f1"]
    assert evaluation.results["eval_psds1_interval"][0] <= evaluation.results["eval_psds1"]
    with (tmp_path / "events" / "events.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    true = [(row["path"], row["onset"], row["label"]) for row in rows if row["source"] == "annotation"]
    assert true == [(f"{number}.wav", "1.000", ("low", "high")[number % 2]) for number in range(6)]
    assert len(rows) - len(true) == sum(map(len, judged.found))
    assert (tmp_path / "events" / "precision_and_recall.png").is_file()
    # What is told of the found events is what is told of their table.
    loose = hf_audio.evaluate(framed, data=annotated, threshold=0.3, collar=3.0)
    assert loose.results["eval_event_f1_micro"] >= evaluation.results["eval_event_f1_micro"]


def test_precision_and_recall_of_segments_go_over_all_thresholds():
    truth = [[Annotation(1.0, 2.0, "cat")], [Annotation(0.0, 1.0, "cat")]]
    scores = [np.repeat([0.1, 0.9, 0.2], 10)[:, None], np.repeat([0.3, 0.4, 0.1], 10)[:, None]]
    judged = JudgedRecordings(
        ["a", "b"], ["cat"], truth, [[], [SoundEvent(1, 2, "cat", 0.4)]], scores, 0.1, [3.0, 3.0]
    )
    precision, recall = judged.precision_and_recall()["cat"]
    assert precision == pytest.approx([1, 1 / 2, 2 / 3, 2 / 4, 2 / 6]) and recall == pytest.approx([0.5, 0.5, 1, 1, 1])
    assert judged.intervals() == {} and "onset_error" not in judged.metrics()


def test_what_cannot_be_judged_is_refused_and_nothing_written(checkpoint, framed, tone_folder, annotated, tmp_path):
    with pytest.raises(ArgumentError, match="two checkpoints and --data"):
        hf_audio.evaluate(checkpoint)
    with pytest.raises(ArgumentError, match="3 checkpoints"):
        hf_audio.evaluate([checkpoint] * 3, data=tone_folder)
    with pytest.raises(ArgumentError, match="--threshold is of events"):
        hf_audio.evaluate(checkpoint, data=tone_folder, threshold=0.3)
    with pytest.raises(ArgumentError, match=r"--threshold 1\.5"):
        hf_audio.evaluate(checkpoint, data=annotated, threshold=1.5)
    with pytest.raises(ArgumentError, match="--unannotated is of annotations"):
        hf_audio.evaluate(checkpoint, data=tone_folder, unannotated="ignore")
    with pytest.raises(ArgumentError, match="tells one label a clip and the second tells several"):
        hf_audio.evaluate([checkpoint, framed], data=tone_folder)
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="something else than an evaluation"):
        hf_audio.evaluate(checkpoint, data=tone_folder, output=tmp_path / "kept")
    for collar, share, seconds in ((-1, 0.5, 1), (0.2, 2, 1), (0.2, 0.5, 0)):
        with pytest.raises(ArgumentError, match="must"):
            hf_audio.evaluate(checkpoint, data=annotated, collar=collar, offset_share=share, segment_seconds=seconds)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(("kept", "tones"))] == []
