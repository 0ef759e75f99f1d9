"""`hf-audio predict` as users run it: killed and taken up again, in several processes, on a full disk."""

import os
import resource
import shutil
import signal
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.commands import fork, fork_ranks
from helpers.recordings import RATE, tone, write_table

from hf_audio import cli
from hf_audio.bulk import predict as predict_module
from hf_audio.bulk import tagger as tagger_module
from hf_audio.bulk.detect import EventQuestion
from hf_audio.bulk.moments import MomentQuestion
from hf_audio.bulk.predict import Question, Sources, predict_files
from hf_audio.bulk.scoring import judge_clips
from hf_audio.errors import ArgumentError, DataError
from hf_audio.inference.facts import Facts
from hf_audio.inference.torch_classifier import TorchAudioClassifier

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}


def predict(checkpoint, sources, output, *, resume=False, **question) -> tuple[int, int]:
    return predict_files(
        str(checkpoint), Sources(list(map(str, sources))), output, Question(**question), num_workers=0, resume=resume
    )


@pytest.fixture
def many(tmp_path) -> Path:
    """A table of two hundred clips, of which the one before the last is a pipe that nothing comes through."""
    (tmp_path / "clips").mkdir()
    for index in range(200):
        soundfile.write(tmp_path / "clips" / f"{index:03}.wav", tone(300 + 10 * index, 0.1, seed=index), RATE)
    pipe = tmp_path / "clips" / "198.wav"
    pipe.rename(tmp_path / "kept.wav")
    os.mkfifo(pipe)
    return write_table(tmp_path / "many.csv", [["path", "n"], *([f"clips/{i:03}.wav", i] for i in range(200))])


def test_a_killed_run_goes_on_without_doing_or_losing_anything_twice(checkpoint, many, tmp_path, monkeypatch):
    output, journal = tmp_path / "answers.csv", tmp_path / "answers.csv.journal"
    argv = ["predict", str(checkpoint), str(many), "--output", str(output), "--num_workers", "0"]
    process = fork(partial(cli.main, argv), ENVIRONMENT)
    end = time.monotonic() + 120
    while not journal.exists() or journal.read_bytes().count(b'"ended": true') < 64:
        assert time.monotonic() < end and process.is_alive()
        time.sleep(0.05)
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not output.exists()
    known = journal.read_bytes().count(b'"ended": true')
    with journal.open("ab") as file:
        file.write(b'{"clip": 198, "spans": [[0.0')  # what a kill may leave
    (tmp_path / "clips" / "198.wav").unlink()
    (tmp_path / "kept.wav").rename(tmp_path / "clips" / "198.wav")

    with pytest.raises(DataError, match=r"answers\.csv\.journal holds \d+ clips of a run that did not end"):
        predict(checkpoint, [many], output)
    with pytest.raises(DataError, match=r"was begun with other --top_k: give what was given then"):
        predict(checkpoint, [many], output, top_k=2, resume=True)
    with pytest.raises(DataError, match=r"was begun with other clips"):
        predict(checkpoint, [tmp_path / "clips" / "000.wav"], output, resume=True)
    assert not output.exists()

    asked: list[int] = []

    def judge(classifier, files, *others):
        asked.extend(clip for clip, _ in files)
        return judge_clips(classifier, files, *others)

    monkeypatch.setattr(tagger_module, "judge_clips", judge)
    assert predict(checkpoint, [many], output, resume=True) == (200, 0)
    assert len(asked) == 200 - known and not journal.exists()
    predict(checkpoint, [many], tmp_path / "at once.csv")
    # The last digit may be rounded otherwise: where a kill falls, other clips go through the network together.
    pd.testing.assert_frame_equal(pd.read_csv(output), pd.read_csv(tmp_path / "at once.csv"), rtol=0, atol=2e-6)
    assert pd.read_csv(output)["n"].tolist() == list(range(200))


@pytest.mark.parametrize("question", [Question(True), Question(), MomentQuestion(), EventQuestion()])
def test_a_run_that_is_killed_inside_a_long_recording_hears_no_block_twice(
    checkpoint, tmp_path, monkeypatch, question
):
    soundfile.write(tmp_path / "x.wav", np.concatenate([tone(300 + 20 * n, 1.0, seed=n) for n in range(100)]), RATE)
    sources, score, scored, limit = Sources([str(tmp_path / "x.wav")]), TorchAudioClassifier.score, [], 80

    def count(self, windows):
        scored.append(len(windows))
        if sum(scored) > limit:
            raise KeyboardInterrupt
        return score(self, windows)

    def run(output, resume=False):
        scored.clear()
        predict_files(str(checkpoint), sources, tmp_path / output, question, num_workers=0, resume=resume)
        return sum(scored)

    monkeypatch.setattr(TorchAudioClassifier, "score", count)
    monkeypatch.setattr("hf_audio.bulk.journal.BLOCK_WINDOWS", 16)
    with pytest.raises(KeyboardInterrupt):
        run("a.csv")
    with pytest.raises(DataError, match="holds a part of a clip of a run that did not end: go on with --resume"):
        run("a.csv")
    limit = 10**6
    n_all, n_left = run("whole.csv"), run("a.csv", resume=True)
    assert n_all - n_left == 64 and not (tmp_path / "a.csv.journal").exists()
    pd.testing.assert_frame_equal(
        pd.read_csv(tmp_path / "a.csv"), pd.read_csv(tmp_path / "whole.csv"), rtol=0, atol=2e-6
    )


def test_another_checkpoint_has_another_fingerprint(checkpoint, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    for file in checkpoint.iterdir():
        if file.is_file():
            (other / file.name).write_bytes(file.read_bytes())
    assert predict_module.fingerprint(str(other)) == predict_module.fingerprint(str(checkpoint))
    weights = bytearray((other / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (other / "model.safetensors").write_bytes(weights)
    assert predict_module.fingerprint(str(other)) != predict_module.fingerprint(str(checkpoint))


@pytest.mark.slow
def test_several_processes_write_a_part_each(checkpoint, tone_folder, tmp_path, tmp_path_factory):
    argv = ["predict", str(checkpoint), str(tone_folder), "--output", str(tmp_path / "a.parquet")]
    fork_ranks(partial(cli.main, argv), ENVIRONMENT, tmp_path_factory.mktemp("printed"))
    parts = [pd.read_parquet(tmp_path / f"a-0000{rank}-of-00002.parquet") for rank in (0, 1)]
    assert [len(part) for part in parts] == [18, 18]
    predict(checkpoint, [tone_folder], tmp_path / "alone")
    alone = pd.read_parquet(tmp_path / "alone" / "part-00000-of-00001.parquet")
    together = pd.concat(parts, ignore_index=True)
    assert together.drop(columns="confidence").equals(alone.drop(columns="confidence"))
    assert together["confidence"].to_numpy() == pytest.approx(alone["confidence"].to_numpy(), abs=1e-4)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_file()) == [
        "a-00000-of-00002.parquet",
        "a-00001-of-00002.parquet",
    ]


def test_parts_are_of_parquet(monkeypatch, checkpoint, tone_folder, tmp_path):
    monkeypatch.setattr(predict_module, "_this_process", lambda: (0, 2))
    with pytest.raises(DataError, match=r"a\.csv: of several processes, each writes a Parquet part"):
        predict(checkpoint, [tone_folder], tmp_path / "a.csv")
    with pytest.raises(DataError, match="give files to read, and --output"):
        predict(checkpoint, [tone_folder], None)


def test_a_full_disk_is_one_sentence_and_nothing_half_written(checkpoint, tone_folder, tmp_path):
    output, limits = tmp_path / "a.jsonl", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1500, limits[1]))
    try:
        with pytest.raises(DataError, match=r"a\.jsonl\.journal cannot be written \(File too large\): make room"):
            predict(checkpoint, [tone_folder], output)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not output.exists() and (tmp_path / "a.jsonl.journal").exists()
    assert predict(checkpoint, [tone_folder], output, resume=True) == (36, 0)
    assert len(output.read_text().splitlines()) == 36 and [path.name for path in tmp_path.glob("*a*")] == ["a.jsonl"]


def test_what_is_finished_is_not_done_again(checkpoint, tone_folder, tmp_path, monkeypatch):
    output = tmp_path / "a.csv"
    predict(checkpoint, [tone_folder / "low"], output)
    before = output.read_bytes()
    monkeypatch.setattr(tagger_module, "judge_clips", None)
    assert predict(checkpoint, [tone_folder / "low"], output, resume=True) == (12, 0)
    assert output.read_bytes() == before


def test_clips_that_came_after_the_end_are_told(checkpoint, tone_folder, tmp_path, caplog):
    clips, output = tmp_path / "clips", tmp_path / "a.csv"
    shutil.copytree(tone_folder / "low", clips)
    predict(checkpoint, [clips], output)
    time.sleep(0.02)  # times of files go in steps
    shutil.copy2(tone_folder / "high" / "0.wav", clips / "new.wav")  # with the time of the original
    predict(checkpoint, [clips], output, resume=True)
    assert "a.csv is finished already, and what has come or changed since is not in it" in caplog.text
    assert f"({clips / 'new.wav'})" in caplog.text


def test_a_name_that_is_no_text_is_told_escaped(checkpoint, tmp_path):
    (tmp_path / "in").mkdir()
    with open(os.fsencode(tmp_path / "in") + b"/caf\xe9.wav", "wb") as file:
        soundfile.write(file, tone(300), RATE, format="WAV")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        predict(checkpoint, [tmp_path / "in"], tmp_path / name)
    assert pd.read_parquet(tmp_path / "a.parquet")["path"][0].endswith("caf\\xe9.wav")


def test_broken_files_are_rows_of_their_own(checkpoint, tone_folder, tmp_path, capsys):
    (tone_folder / "low" / "0.wav").write_bytes(b"no sound")
    argv = ["predict", str(checkpoint), str(tone_folder / "low"), "--output", str(tmp_path / "a.jsonl")]
    cli.main([*argv, "--windows", "--hop_seconds", "0.25"])
    table = pd.read_json(tmp_path / "a.jsonl", lines=True)
    broken = table[table["path"] == str(tone_folder / "low" / "0.wav")]
    assert len(broken) == 1 and "is not audio" in broken["error"].iloc[0] and broken["label"].isna().all()
    whole = table[table["path"] == str(tone_folder / "low" / "11.wav")]
    assert whole["end"].tolist() == pytest.approx([0.95]) and whole["start"].tolist() == [0]  # shorter than a window
    assert "1 of 12 clips cannot be read" in capsys.readouterr().err


def test_the_table_on_the_screen_says_what_the_file_does(checkpoint, tone_folder, tmp_path, capsys):
    cli.main(["predict", str(checkpoint), str(tone_folder / "mid"), "--top_k", "2"])
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    predict(checkpoint, [tone_folder / "mid"], tmp_path / "a.csv", top_k=2)
    table = pd.read_csv(tmp_path / "a.csv").drop(columns="error")
    assert printed[0] == list(table.columns) and len(printed) == 13
    assert [[row[0], row[1], row[3]] for row in printed[1:]] == table[["path", "label", "label_2"]].values.tolist()
    assert [float(row[2]) for row in printed[1:]] == pytest.approx(table["confidence"].tolist(), abs=1e-4)


def test_a_recording_is_what_its_windows_say_in_the_mean_at_best_or_in_any(checkpoint, tmp_path):
    parts = [tone(hertz, 1.0, seed=hertz) for hertz in (300, 900, 2500, 300)]
    soundfile.write(tmp_path / "x.wav", np.concatenate(parts), RATE, subtype="FLOAT")
    scores = TorchAudioClassifier(checkpoint).score(parts)
    expected = {"mean": scores.mean(0), "max": scores.max(0), "any": 1 - (1 - scores).prod(0)}
    for whole, values in expected.items():
        question, told = Question(top_k=3, whole=whole), []
        sources = Sources([str(tmp_path / "x.wav")])
        predict_files(
            str(checkpoint), sources, None, question, show=lambda heading, rows, _, told=told: told.extend(rows)
        )
        confidences = [told[0]["confidence"], told[0]["confidence_2"], told[0]["confidence_3"]]
        np.testing.assert_allclose(confidences, sorted(values, reverse=True), atol=1e-4)
    facts = Facts(("hen", "none of these"), 8000, 1.0)
    for whole, none in (("max", 0.2), ("any", 0.18)):
        running = facts.running(whole)
        running.add([[0.1, 0.9]])
        running.add([[0.8, 0.2]])
        np.testing.assert_allclose(running.value, [0.8 if whole == "max" else 0.82, none])
    with pytest.raises(ArgumentError, match="reads numbers"):
        Facts(tuple("0123456789"), 8000, num_digits=1).running("max")


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--whole", "max", "--windows"], "--whole max is of whole recordings: leave it or --windows out."),
        (["--top_k", "0"], "--top_k 0 must be 1 or more."),
        (["--hop_seconds", "1"], "--hop_seconds is for scores over time: add --windows."),
        (["--windows", "--hop_seconds", "nan"], "--hop_seconds nan must be more than 0, and a number."),
        (["--num_workers", "-1"], "--num_workers -1 must be 0 or more."),
        (["--resume"], "Without --output nothing is kept: add it."),
        (["--output", "gone/a.csv"], "--output gone/a.csv is in no folder that exists"),
        (["--output", "a.xlsx"], "--output a.xlsx must end in .csv, .jsonl, .parquet"),
        (["--output", "notes"], "--output notes is a file: end it in .parquet, say, or name a new folder."),
        (["--windows", "--hop_seconds", "1e-9", "--output", "a.csv"], "hop_seconds=1e-09 must last a sample at least"),
        (["gone.wav"], "gone.wav holds no audio files"),
        ([], "{broken} is not audio that libsndfile can decode"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(checkpoint, tmp_path, capsys, monkeypatch, flags, sentence):
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound")
    (tmp_path / "notes").touch()
    with pytest.raises(SystemExit) as end:
        cli.main(["predict", str(checkpoint), str(broken), *flags])
    captured = capsys.readouterr()
    assert end.value.code == 2 and captured.out == ""
    assert captured.err.split("\nerror: ")[1].startswith(sentence.format(broken=broken))
    assert captured.err.count("error: ") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.wav", "notes"]
