"""`hf-audio fit-events`: what is fitted is in the checkpoint, and everything that finds events goes by it."""

import json

import numpy as np
import pytest
import soundfile
from helpers.checkpoints import save_checkpoint
from helpers.recordings import RATE, tone

import hf_audio
from hf_audio import cli
from hf_audio.errors import ArgumentError, CheckpointError, DataError
from hf_audio.inference.events import EventRule

NAMES = {0: "low", 1: "mid", 2: "high"}


@pytest.fixture
def annotated(tmp_path):
    rows = ["path,onset,offset,label,split"]
    for number, (label, hertz) in enumerate([("low", 300), ("high", 2500)] * 2):
        parts = [0.01 * tone(100, 1.5, seed=number), tone(hertz, 1.0, seed=number), 0.01 * tone(100, 1.5, seed=number)]
        soundfile.write(tmp_path / f"{number}.wav", np.concatenate(parts), RATE)
        rows.append(f"{number}.wav,1.5,2.5,{label},{'train' if number < 2 else 'test'}")
    (tmp_path / "events.csv").write_text("\n".join(rows))
    return tmp_path / "events.csv"


def test_a_rule_is_fitted_into_the_checkpoint(annotated, tmp_path, capsys, caplog):
    names = {"id2label": NAMES, "label2id": {name: number for number, name in NAMES.items()}}
    folder = save_checkpoint(tmp_path / "checkpoint", problem_type="multi_label_classification", **names)
    before = json.loads((folder / "config.json").read_text())
    cli.main(["fit-events", str(folder), str(annotated), "--false_alarms_per_hour", "0"])
    assert "finds events from a confidence of" in capsys.readouterr().out
    assert "Fewer than 10 events are annotated of low, high" in caplog.text
    after = json.loads((folder / "config.json").read_text())
    rule = after.pop("event_rule")
    before.pop("event_rule", None)
    assert after == before and len(rule["thresholds"]) == 3
    assert hf_audio.load_classifier(folder).facts.event_rule == EventRule.from_dict(rule)
    # Of the recordings that it was fitted to, none has a false alarm then.
    table = hf_audio.detect(folder, [annotated.parent / "0.wav", annotated.parent / "1.wav"])
    known = table[table["label"] != "mid"]
    for row in known.itertuples():
        assert row.label == ("low", "high")[int(row.path[-5])] and row.onset < 2.5 and row.offset > 1.5
    refused = [
        ({"precision": 0.9, "false_alarms_per_hour": 1}, ArgumentError, "two aims"),
        ({"precision": 2.0}, ArgumentError, "A precision of 2.0 is none"),
    ]
    for options, error, words in refused:
        with pytest.raises(error, match=words):
            hf_audio.fit_events(folder, annotated, **options)
    with pytest.raises(CheckpointError, match="is no finished folder"):
        hf_audio.fit_events(tmp_path / "x.onnx", annotated)
    (annotated.parent / "clips").mkdir()
    with pytest.raises(DataError, match="no annotations with times"):
        hf_audio.fit_events(folder, annotated.parent / "clips")
