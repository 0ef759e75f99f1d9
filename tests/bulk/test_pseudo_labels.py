"""Which files a checkpoint is run on, and which of its answers are good enough to train on."""

from collections import Counter
from pathlib import Path

import pytest

from hf_audio.bulk.clips import find_clips
from hf_audio.bulk.pseudo_labels import confident_labels, predict, predict_tags
from hf_audio.errors import DataError


def names(clips) -> list[str]:
    return [Path(clip["path"]).name for clip in clips]


def test_rows_name_the_clips_from_the_tables_folder_and_pass_over_broken_ones(
    checkpoint, tone_folder, tmp_path, caplog
):
    (tone_folder / "low" / "0.wav").write_bytes(b"no sound")
    rows = predict(str(checkpoint), find_clips(tone_folder), tmp_path)
    assert len(rows) == 35 and "low/0.wav is not audio" in caplog.text.replace("\\", "/")
    assert rows[0]["path"] == "tones/high/0.wav" and set(rows[0]) == {"path", "label", "confidence"}
    assert all(1 / 3 <= row["confidence"] <= 1 and row["label"] in ("low", "mid", "high") for row in rows)


def test_a_submission_has_tags_for_every_clip_broken_ones_too(checkpoint, tone_folder):
    (tone_folder / "low" / "0.wav").write_bytes(b"")
    clips = find_clips(tone_folder / "low")
    rows = predict_tags(str(checkpoint), clips)
    assert [row["fname"] for row in rows] == names(clips)
    answers = {row["fname"]: row["label"].split(" ") for row in rows}
    assert all(sorted(tags) == ["high", "low", "mid"] for name, tags in answers.items() if name != "0.wav")
    first = Counter(tags[0] for name, tags in answers.items() if name != "0.wav")
    assert answers["0.wav"] == [tag for tag, _ in first.most_common(3)]


def rows(*answers) -> list[dict]:
    return [{"path": f"{i}.wav", "label": label, "confidence": c} for i, (label, c) in enumerate(answers)]


def test_only_confident_labels_are_kept_and_no_class_takes_over():
    answers = [("a", 0.99 - 0.001 * i) for i in range(20)] + [("b", 0.95), ("c", 0.92), ("b", 0.93), ("b", 0.5)]
    kept = confident_labels(rows(*answers), 0.9)
    # 20, 2 and 1: none gets more than twice the median, 4, and those are the most confident ones.
    assert [row["path"] for row in kept] == [f"{i}.wav" for i in (0, 1, 2, 3, 20, 21, 22)]


def test_of_two_classes_neither_takes_over():
    kept = confident_labels(rows(*[("female", 0.95)] * 99, ("male", 0.95)), 0.9)
    assert [row["label"] for row in kept] == ["female", "female", "male"]


def test_paths_lead_to_the_clips_from_a_linked_folder_too(checkpoint, tone_folder, tmp_path):
    (tmp_path / "real" / "deep").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "deep")
    (path,) = (
        row["path"] for row in predict(str(checkpoint), find_clips(tone_folder / "low" / "3.wav"), tmp_path / "link")
    )
    assert (tmp_path / "link" / path).is_file()
    (tone_folder / "linked.wav").symlink_to(tone_folder / "low" / "3.wav")
    (row,) = predict(str(checkpoint), find_clips(tone_folder / "linked.wav"), tone_folder)
    assert row["path"] == "linked.wav"


def test_numbers_are_no_classes():
    numbers = [{"path": f"{i}.wav", "number": "7", "confidence": 0.95} for i in range(9)]
    assert confident_labels(numbers, 0.9) == numbers


def test_no_confident_answer_is_one_sentence():
    with pytest.raises(DataError, match=r"No clip reaches --min_confidence 0.9 \(the best has 0.62\): lower it"):
        confident_labels(rows(("a", 0.62), ("b", 0.3)), 0.9)


def test_of_common_voice_the_clips_without_a_gender_are_found_with_their_speakers(tmp_path):
    header = "client_id\tpath\tsentence\tgender"
    rows = ['s1\ta.mp3\tShe said "no\tmale_masculine', "s2\tb.mp3\tA\ttab\t", "s3\tc.mp3\tYes.\tother"]
    (tmp_path / "train.tsv").write_text("\n".join([header, *rows, ""]))
    assert names(find_clips(tmp_path / "train.tsv")) == ["a.mp3", "b.mp3", "c.mp3"]
    unlabelled = find_clips(tmp_path / "train.tsv", unlabelled=True)
    assert unlabelled[0] == {"path": str(tmp_path / "clips" / "b.mp3"), "speaker": "s2"} and len(unlabelled) == 2


def test_no_speech_is_nothing_to_learn():
    told = rows(("female", 0.95), ("no speech", 0.99), ("male", 0.92), ("no speech", 0.97))
    assert [row["label"] for row in confident_labels(told, 0.9)] == ["female", "male"]
