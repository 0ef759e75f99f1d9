"""`hf-audio inspect` on small collections with one fault of each kind, from the command line."""

import json
import os
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest
import soundfile
from helpers.recordings import write_table
from helpers.scenes import SCENE_RATE, scene, write_copy
from matplotlib.image import imread

from hf_audio import cli
from hf_audio.data.collection import load_collection
from hf_audio.data.tables.columns import Columns
from hf_audio.inspection import report as inspection


def inspect(capsys, *argv):
    code = 0
    try:
        cli.main(["inspect", *map(str, argv)])
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def faulty(tmp_path_factory):
    """Train and test parts of three classes; each fault in a file of its own."""
    folder = tmp_path_factory.mktemp("собрание звуков")
    seeds = iter(range(100))
    for split, count in (("train", 4), ("test", 2)):
        for name in ("собака", "cat", "Cat"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                soundfile.write(folder / split / name / f"{name} {number}{split}.wav", scene(next(seeds)), SCENE_RATE)
    cats = folder / "train" / "cat"
    (cats / "empty.wav").touch()
    (cats / "text.mp3").write_text("not a sound")
    (cats / "notes.txt").write_text("no audio")
    whole = (cats / "cat 0train.wav").read_bytes()
    (cats / "cut.wav").write_bytes(whole[:50_000])
    (folder / "test" / "cat" / "same.wav").write_bytes(whole)
    original, _ = soundfile.read(cats / "cat 1train.wav", dtype="float32")
    write_copy("mp3", original, folder / "train" / "собака" / "copy")
    write_copy("trim", scene(17), folder / "test" / "Cat" / "later")  # of a clip of the same folder
    soundfile.write(cats / "silent.wav", np.zeros(3 * SCENE_RATE), SCENE_RATE)
    soundfile.write(cats / "clipped.wav", np.clip(20 * scene(90), -1, 1), SCENE_RATE)
    soundfile.write(cats / "offset.wav", scene(91) + 0.1, SCENE_RATE)
    soundfile.write(cats / "stereo.wav", np.stack([scene(92), scene(93)], axis=1), SCENE_RATE)
    (cats / "round").symlink_to(folder / "train")
    return folder


def test_the_band_of_the_sounds_is_told(tmp_path, capsys):
    times = np.arange(96000) / 96000
    for number, hertz in enumerate((1000, 3000, 30000, 30000)):
        (tmp_path / str(number % 2)).mkdir(exist_ok=True)
        tone = 0.3 * np.sin(2 * np.pi * hertz * times) + 0.001 * np.random.default_rng(number).standard_normal(96000)
        soundfile.write(tmp_path / str(number % 2) / f"{number}.wav", tone, 96000)
    code, out, _ = inspect(capsys, tmp_path, "--json", tmp_path / "report.json", "--png", tmp_path / "picture.png")
    assert code == 0 and "energy        5% below 1.09 kHz, 95% below 35 kHz, 99% below 35 kHz (noise apart)" in out
    assert "note: Most of the sound above 11.025 kHz, half the usual rate of training: 2 files." in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["bands"] == {"5%": 1094, "95%": 35002, "99%": 35002} and "bands" not in report["clips"][0]


def test_every_fault_is_found_and_names_its_files(faulty, tmp_path, capsys):
    report, picture = tmp_path / "report.json", tmp_path / "picture.png"
    code, out, _ = inspect(capsys, faulty, "--json", report, "--png", picture)
    told = json.loads(report.read_text(encoding="utf-8"))
    assert code == 0 and told["n_files"] == 28 and told["n_readable"] == 25
    assert told["classes"] == {"label": {"cat": 14, "собака": 7, "Cat": 7}}
    found = defaultdict(list)
    for finding in told["findings"]:
        assert finding["message"] in out and finding["remedy"] in out
        for case in finding["cases"]:
            found[finding["kind"]].append(sorted(file.rpartition("/")[2] for file in case["files"]))
    assert found.pop("unreadable") == [["cut.wav"], ["empty.wav"], ["text.mp3"]]
    assert found.pop("silent") == [["silent.wav"]]
    assert ["clipped.wav"] in found.pop("clipped")
    assert found.pop("offset") == [["offset.wav"]]
    assert found.pop("mixed-channels") == [["stereo.wav"]]
    assert found.pop("copies-across-splits") == [["cat 0train.wav", "same.wav"]]
    assert found.pop("copies-under-labels") == [["cat 1train.wav", "copy.mp3"]]
    assert found.pop("same-sound") == [["Cat 1test.wav", "later.wav"]]
    assert found.pop("no-audio") == [["notes.txt"]]
    assert found.pop("unreachable") == [["round"]]
    assert len(found.pop("similar-names")) == 1
    assert set(found) <= {"silent-ends"}
    assert [finding["severity"] for finding in told["findings"]] == sorted(
        (finding["severity"] for finding in told["findings"]), key=["error", "warning", "note"].index
    )
    clips = {clip["path"].rpartition("/")[2]: clip for clip in told["clips"]}
    assert clips["stereo.wav"]["channels"] == 2 and clips["copy.mp3"]["format"].startswith("MP3")
    assert clips["copy.mp3"]["labels"] == ["собака"] and clips["same.wav"]["split"] == "test"
    assert imread(picture).ndim == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.png", "report.json"]


def test_a_table_with_splits_and_groups(tmp_path, capsys):
    rows = [["file", "animal", "mood", "fold", "who"]]
    for number in range(6):
        soundfile.write(tmp_path / f"{number}.flac", scene(number, 1.0), SCENE_RATE)
        rows.append([f"{number}.flac", "dog" if number % 2 else "cat", "glad", str(number // 3), f"pet {number % 5}"])
    table = write_table(tmp_path / "t.csv", rows)
    columns = ["--path_column", "file", "--label_column", "animal", "mood", "--split_column", "fold"]
    code, out, _ = inspect(capsys, table, *columns, "--group_column", "who")
    assert code == 0
    assert "animal        2: cat (3), dog (3)" in out and "splits        0 (3), 1 (3)" in out
    assert "error: Of groups in several splits: 2 files.\n    0.flac = 5.flac: pet 0: 0 and 1\n" in out
    assert "error: All labelled files carry the one label of 'mood' 'glad'." in out
    assert out.endswith("2 errors, 0 warnings, 0 notes.\n")


def test_long_lists_are_cut_short_on_the_screen(tmp_path, capsys):
    (tmp_path / "a").mkdir()
    for number in range(12):
        (tmp_path / "a" / f"{number:02d}.wav").touch()
    soundfile.write(tmp_path / "b.wav", scene(1), SCENE_RATE)
    code, out, _ = inspect(capsys, tmp_path)
    assert code == 0 and "error: Cannot be read: 12 files.\n    a/00.wav: is empty" in out
    assert "04.wav" in out and "05.wav" not in out and "    and 7 more\n" in out


def test_a_sound_collection_has_no_findings(tmp_path, capsys):
    for number in range(8):
        folder = tmp_path / ("ab"[number % 2])
        folder.mkdir(exist_ok=True)
        soundfile.write(folder / f"{number}.wav", 0.3 * scene(number, 1.5), SCENE_RATE)
    code, out, _ = inspect(capsys, tmp_path)
    assert code == 0 and out.endswith("0 errors, 0 warnings, 0 notes.\n"), out


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["gone"], "gone is neither a folder nor a CSV or TSV"),
        (["."], "holds no files: give a folder"),
        ([".", "--json", "gone/report.json"], "--json gone/report.json is in no folder that exists"),
        ([".", "--png", "gone/p.png"], "--png gone/p.png is in no folder that exists"),
        ([".", "--label_column", "x"], "holds no files: give a folder"),
    ],
)
def test_what_cannot_be_looked_at_ends_in_a_sentence(argv, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, out, err = inspect(capsys, *argv)
    assert (code, out) == (2, "") and says in err and len(err.strip().splitlines()) == 1


def test_nothing_to_draw(tmp_path, capsys):
    (tmp_path / "a.wav").touch()
    code, out, err = inspect(capsys, tmp_path, "--png", tmp_path / "p.png")
    assert code == 2 and "Cannot be read: 1 file." in out and "leave --png out" in err
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def die(path):
    os._exit(1)


@pytest.mark.skipif(sys.platform != "linux", reason="processes do not inherit what a test replaces")
def test_a_process_that_dies_ends_in_a_sentence(tmp_path, monkeypatch, capsys):
    for number in range(100):
        (tmp_path / f"{number}.wav").touch()
    monkeypatch.setattr(inspection, "measure_clip", die)
    monkeypatch.setattr("hf_audio.processes.count_cores", lambda: 2)
    code, out, err = inspect(capsys, tmp_path)
    assert (code, out) == (2, "") and "error: A process that reads files has died: " in err


def test_help_loads_no_library():
    code = "import sys; from hf_audio import cli\ntry: cli.main(['inspect', '--help'])\n"
    code += "except SystemExit: assert not {'numpy', 'scipy', 'torch', 'pandas'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--group_column" in done.stdout, done.stderr


def test_no_torch_is_loaded_to_inspect(tmp_path):
    soundfile.write(tmp_path / "a.wav", scene(1, 1.0), SCENE_RATE)
    code = f"import sys; from hf_audio import cli; cli.main(['inspect', {str(tmp_path)!r}]); "
    code += "assert not {'torch', 'transformers', 'datasets'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("libsndfile_alone")
def test_classes_whose_files_cannot_be_used_are_seen(tmp_path, capsys):
    for name in ("cat", "cow", "dog", "frog"):
        (tmp_path / name).mkdir()
        for number in range(4):
            soundfile.write(tmp_path / name / f"{number}.wav", scene(ord(name[1]) + number, 0.5), SCENE_RATE)
    for number in range(4):
        (tmp_path / "cow" / f"{number}.wav").unlink()
        (tmp_path / "cow" / f"{number}.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(100))
        soundfile.write(tmp_path / "frog" / f"{number}.wav", np.zeros(8000), SCENE_RATE)
    (tmp_path / "dog" / "0.wav").write_bytes(b"")
    (tmp_path / "dog" / "1.wav").write_bytes(b"no sound")
    code, out, _ = inspect(capsys, tmp_path)
    assert code == 0 and "files         16, 10 can be read" in out
    assert "cow (0 of 4 can be read)" in out and "dog (2 of 4 can be read)" in out and "cat (4)" in out
    assert "error: In classes of which half or more cannot be used, 3 of 4: 10 files." in out
    for told in ("cow: 0 of 4 files", "dog: 2 of 4 files", "frog: 0 of 4 files"):
        assert f"{told} can be used" in out
    # One finding a reason, and of phones' files what reads them.
    assert "error: Cannot be read: 4 files.\n    cow/0.m4a: is not audio that libsndfile can decode" in out
    assert "pip install" in out and out.count("error: Cannot be read: 1 file.") == 2


def test_groups_of_copies_and_names_are_written_for_training(tmp_path, capsys):
    rows = {}
    for name, seed in (("cat", 0), ("dog", 20)):
        (tmp_path / name).mkdir()
        for place in range(3):
            for piece in range(2):
                samples = scene(seed + 2 * place + piece)
                soundfile.write(tmp_path / name / f"{name}_rec{place}_{piece}.wav", samples, SCENE_RATE)
    write_copy("gain", scene(21), tmp_path / "dog" / "dog_rec2_9")
    code, *_ = inspect(capsys, tmp_path, "--groups", tmp_path / "groups.csv")
    collection = load_collection(tmp_path / "groups.csv", Columns(group="group"))
    assert code == 0 and collection.dataset.features["label"].names == ["cat", "dog"]
    for row in collection.dataset:
        rows.setdefault(row["group"], set()).add(os.path.basename(row["path"]))
    assert sorted(map(sorted, rows.values())) == [
        ["cat_rec0_0.wav", "cat_rec0_1.wav"],
        ["cat_rec1_0.wav", "cat_rec1_1.wav"],
        ["cat_rec2_0.wav", "cat_rec2_1.wav"],
        # A copy joins two recordings.
        ["dog_rec0_0.wav", "dog_rec0_1.wav", "dog_rec2_0.wav", "dog_rec2_1.wav", "dog_rec2_9.wav"],
        ["dog_rec1_0.wav", "dog_rec1_1.wav"],
    ]
