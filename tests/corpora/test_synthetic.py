import csv
import functools
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.recordings import REAL_DATA, real
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytest.importorskip("espeakng_loader")

from hf_audio.corpora import espeak, synthetic
from hf_audio.corpora.freesound import TAGS
from hf_audio.corpora.synthetic import (
    make_environmental_sounds,
    make_spoken_digits,
    make_spoken_numbers,
    make_tagged_sounds,
)

NAME = re.compile(r"(\d)_([a-z0-9-]+)_(\d+)\.wav")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_spoken_digits(tmp_path_factory.mktemp("demo") / "digits")


@pytest.fixture(scope="module")
def sounds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setitem(sys.modules, "espeakng_loader", None)  # not needed
        return make_environmental_sounds(tmp_path_factory.mktemp("demo") / "sounds")


@pytest.fixture(scope="module")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_spoken_numbers(tmp_path_factory.mktemp("demo") / "numbers", count=30)


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tagged_sounds(tmp_path_factory.mktemp("demo") / "tagged")


def read_tagged(tagged: Path) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """The tables of training and test clips, and what the training clips really are."""
    meta = tagged / "FSDKaggle2018.meta"
    tables = meta / "train_post_competition.csv", meta / "test_post_competition_scoring_clips.csv", "truth.csv"
    train, test, truth = (pd.read_csv(tagged / table) for table in tables)
    return train, test, truth


def read_table(sounds: Path) -> list[dict[str, str]]:
    with (sounds / "meta" / "esc50.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def run_in_another_process(code: str, folder: Path) -> None:
    # A stand-in for the package itself, whose import would take most of the time.
    setup = """if True:
        import pathlib, sys, types
        package = sys.modules["hf_audio"] = types.ModuleType("hf_audio")
        package.__path__ = [sys.argv[1]]
        from hf_audio import demo_data, espeak
        folder = pathlib.Path(sys.argv[2])
    """
    parent = Path(synthetic.__file__).parent
    subprocess.run([sys.executable, "-c", f"{setup}\n{code}", str(parent), str(folder)], check=True)


def list_clips(corpus: Path) -> list[tuple[int, str, int]]:
    matches = [NAME.fullmatch(path.name) for path in sorted((corpus / "recordings").iterdir())]
    return [(int(match[1]), match[2], int(match[3])) for match in matches if match]


def test_missing_loader_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    with pytest.raises(ImportError, match=re.escape("pip install 'hf-audio[demo]'")):
        make_spoken_digits(tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_corpus_layout_and_balance(corpus: Path) -> None:
    clips = list_clips(corpus)
    assert [path.name for path in corpus.iterdir()] == ["recordings"]
    assert len(clips) == len(list((corpus / "recordings").iterdir())) == 2160  # every name fits the pattern
    assert set(Counter(digit for digit, _, _ in clips).values()) == {216}
    assert set(Counter(speaker for _, speaker, _ in clips).values()) == {30}


def test_split_rule_separates_speakers_and_variants(corpus: Path) -> None:
    clips = list_clips(corpus)
    test = {speaker for _, speaker, index in clips if index < 5}
    training = {speaker for _, speaker, index in clips if index >= 5}
    assert (len(test), len(training)) == (12, 60)
    assert not test & training
    test_variants, training_variants = ({speaker.split("-")[-1] for speaker in group} for group in (test, training))
    assert len(test_variants) == 6 and not test_variants & training_variants


def test_clips_are_audible_and_not_clipped(corpus: Path) -> None:
    for path in (corpus / "recordings").iterdir():
        audio, rate = soundfile.read(path)
        assert rate == 8000 and audio.ndim == 1 and soundfile.info(path).subtype == "PCM_16"
        assert 0.15 < len(audio) / rate < 1.2, path.name
        assert 0.05 < np.abs(audio).max() < 0.9, path.name


def test_clips_are_the_same_in_another_process(corpus: Path, tmp_path: Path) -> None:
    code = """if True:
        speakers = demo_data._list_digit_speakers()
        for voice, first_index in (speakers[-1], speakers[0]):
            demo_data._write_digits(folder, voice, first_index, 3)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.iterdir())
    assert len(made) == 60
    for path in made:
        assert path.read_bytes() == (corpus / "recordings" / path.name).read_bytes(), path.name


def test_existing_corpus_is_returned_as_it_is(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_write_digits", None)
    assert make_spoken_digits(corpus) == corpus


def test_default_folder_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic.constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(synthetic, "_TRAINING_VARIANTS", ())
    monkeypatch.setattr(synthetic, "_TEST_VARIANTS", ("f2",))
    folder = make_spoken_digits()
    assert folder == tmp_path / "hf_audio" / "demo" / f"spoken_digits-v{synthetic.VERSION}"
    assert len(list_clips(folder)) == 60
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
@pytest.mark.parametrize(
    "make, writer",
    [
        (make_spoken_digits, "_write_digits"),
        (make_environmental_sounds, "_write_sounds"),
        (make_tagged_sounds, "_write_tagged_sounds"),
        (functools.partial(make_spoken_numbers, count=1), "_write_number"),
    ],
)
def test_failed_making_leaves_nothing(
    make: Callable[[Path], Path],
    writer: str,
    failure: type[BaseException],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def write_then_fail(folder: Path, *_: object) -> None:
        (folder / "half.wav").touch()
        raise failure

    monkeypatch.setattr(synthetic, writer, write_then_fail)
    with pytest.raises(failure):
        make(tmp_path / "corpus")
    assert not list(tmp_path.iterdir())


def test_loser_of_a_race_takes_the_corpus_of_the_winner(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "recordings").mkdir()
        (folder / "recordings" / "0.wav").write_text(folder.name)

    def write_after_the_winner(folder: Path) -> None:
        write(folder)
        synthetic.make_corpus(tmp_path / "digits", "", 1, write)
        losers.append(folder.name)

    losers: list[str] = []
    folder = synthetic.make_corpus(tmp_path / "digits", "", 1, write_after_the_winner)
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "recordings" / "0.wav").read_text() not in losers


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=re.escape(f"cannot be made in {tmp_path / 'file' / 'digits'}")):
        make_spoken_digits(tmp_path / "file" / "digits")
    with pytest.raises(FileExistsError, match=re.escape(f"cannot be made in {tmp_path}: it holds something else")):
        make_spoken_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_sounds_are_laid_out_as_esc50(sounds: Path) -> None:
    assert sorted(path.name for path in sounds.iterdir()) == ["audio", "meta"]
    content = (sounds / "meta" / "esc50.csv").read_bytes()
    assert content.startswith(b"filename,fold,target,category,esc10,src_file,take\n1-") and content.endswith(b"\n")
    assert b"\r" not in content
    rows = read_table(sounds)
    assert sorted(row["filename"] for row in rows) == sorted(path.name for path in (sounds / "audio").iterdir())
    for row in rows:
        assert row["filename"] == "{fold}-{src_file}-{take}-{target}.wav".format(**row)
    targets = {int(row["target"]): (row["category"], row["esc10"]) for row in rows}
    assert [targets[target] for target in range(len(targets))] == [
        ("rain", "True"),
        ("sea_waves", "True"),
        ("crackling_fire", "True"),
        ("chirping_birds", "False"),
        ("wind", "False"),
        ("footsteps", "False"),
        ("clock_tick", "True"),
        ("siren", "False"),
        ("engine", "False"),
        ("church_bells", "False"),
    ]


def test_columns_and_categories_are_those_of_the_real_esc50(sounds: Path) -> None:
    if not (REAL_DATA / "esc50").is_dir():
        pytest.skip("the real recordings are not here: esc50")
    made, real = read_table(sounds), read_table(REAL_DATA / "esc50")
    assert list(made[0]) == list(real[0])
    assert {(row["category"], row["esc10"]) for row in made} <= {(row["category"], row["esc10"]) for row in real}


def test_sounds_are_balanced_and_no_recording_is_in_two_folds(sounds: Path) -> None:
    rows = read_table(sounds)
    counts = Counter((row["fold"], row["category"]) for row in rows)
    assert len(counts) == 50 and set(counts.values()) == {4}
    assert {row["fold"] for row in rows} == set("12345")
    recordings = {(row["src_file"], row["fold"], row["category"]) for row in rows}
    assert len(recordings) == len({row["src_file"] for row in rows}) == 150
    assert Counter(row["take"] for row in rows) == {"A": 150, "B": 50}


def test_sounds_are_audible_and_not_clipped(sounds: Path) -> None:
    n_short = 0
    for path in (sounds / "audio").iterdir():
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 22050)
        audio, _ = soundfile.read(path)
        assert len(audio) == 110250
        assert 0.01 < np.abs(audio).max() < 0.95, path.name
        n_sounding = np.flatnonzero(audio)[-1] + 1
        assert n_sounding >= 0.99 * 22050, path.name
        n_short += n_sounding < 0.8 * len(audio)
    assert 20 < n_short < 100  # end in zeros


def test_takes_are_stretches_of_one_recording(sounds: Path) -> None:
    spectra = {}
    for row in read_table(sounds):
        audio, _ = soundfile.read(sounds / "audio" / row["filename"])
        spectra[row["category"], row["fold"], row["src_file"], row["take"]] = mean_log_spectrum(audio)
    within, between = [], []
    for (category, fold, source, take), spectrum in spectra.items():
        if take == "B":
            within.append(np.abs(spectrum - spectra[category, fold, source, "A"]).mean())
            others = [other for key, other in spectra.items() if key[:2] == (category, fold) and key[2] != source]
            between.append(np.mean([np.abs(spectrum - other).mean() for other in others]))
    assert min(within) > 0 and np.mean(within) < 0.5 * np.mean(between)


def log_spectrum(audio: np.ndarray) -> np.ndarray:
    """The power in dB of about 32 bands in each frame of the part that is not digital silence."""
    frames = audio[: np.flatnonzero(audio)[-1] + 1]
    frames = frames[: len(frames) // 1024 * 1024].reshape(-1, 1024) * np.hanning(1024)
    power = np.abs(np.fft.rfft(frames)[:, 1:]) ** 2
    edges = np.unique(np.geomspace(1, 513, 33).astype(int)) - 1
    return 10 * np.log10(np.add.reduceat(power, edges[:-1], axis=1) + 1e-8)


def mean_log_spectrum(audio: np.ndarray) -> np.ndarray:
    """Average it over time, whatever the level."""
    level = log_spectrum(audio).mean(axis=0)
    return level - level.mean()


def find_accuracy(features: np.ndarray, labels: np.ndarray, test: np.ndarray) -> float:
    """Of a linear classifier on the test clips, a mask."""
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return classifier.fit(features[~test], labels[~test]).score(features[test], labels[test])


def test_sounds_can_be_told_apart_but_not_by_a_threshold(sounds: Path) -> None:
    rows = read_table(sounds)
    clips = [soundfile.read(sounds / "audio" / row["filename"])[0] for row in rows]
    spectra = np.stack([mean_log_spectrum(clip) for clip in clips])
    levels = np.array([[clip.std(), np.abs(clip).max()] for clip in clips])
    targets = np.array([int(row["target"]) for row in rows])
    test = np.array([row["fold"] == "5" for row in rows])
    assert find_accuracy(spectra, targets, test) > 0.35  # chance is 0.1
    assert find_accuracy(levels, targets, test) < 0.35


def test_sounds_are_the_same_in_another_process(sounds: Path, tmp_path: Path) -> None:
    code = """if True:
        for category in reversed(demo_data.demo_sounds.SOUNDS):
            demo_data._write_sounds(folder, category)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.iterdir())
    assert len(made) == 200
    for path in made:
        assert path.read_bytes() == (sounds / "audio" / path.name).read_bytes(), path.name


def test_existing_sounds_are_returned_as_they_are(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_write_sounds", None)
    assert make_environmental_sounds(sounds) == sounds


def test_sounds_without_their_table_are_not_taken_for_whole(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    for clip in range(200):
        (tmp_path / "audio" / f"{clip}.wav").touch()
    with pytest.raises(FileExistsError, match="only a part of the corpus"):
        make_environmental_sounds(tmp_path)
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").touch()
    assert make_environmental_sounds(tmp_path) == tmp_path


def test_tagged_sounds_are_laid_out_as_fsdkaggle2018(tagged: Path) -> None:
    names = ["FSDKaggle2018.audio_test", "FSDKaggle2018.audio_train", "FSDKaggle2018.meta", "truth.csv"]
    assert sorted(path.name for path in tagged.iterdir()) == names
    assert all(b"\r" not in path.read_bytes() for path in tagged.rglob("*.csv"))
    train, test, truth = read_tagged(tagged)
    assert list(train.columns) == ["fname", "label", "manually_verified", "freesound_id", "license"]
    assert list(test.columns) == ["fname", "label", "usage", "freesound_id", "license"]
    assert list(truth.columns) == ["fname", "label"]
    assert list(train["fname"]) == list(truth["fname"])
    for table, folder in ((train, "audio_train"), (test, "audio_test")):
        assert list(table["fname"]) == sorted(path.name for path in (tagged / f"FSDKaggle2018.{folder}").iterdir())
        assert table["fname"].str.fullmatch(r"[0-9a-f]{8}\.wav").all()
        assert table["freesound_id"].isna().all() and set(table["license"]) == {"CC0"}
    assert not set(train["fname"]) & set(test["fname"])
    assert Counter(test["usage"]) == {"Public": 20, "Private": 60}


def test_tables_are_those_of_the_real_fsdkaggle2018(tagged: Path) -> None:
    real = REAL_DATA / "fsdkaggle2018"
    if not real.is_dir():
        pytest.skip("the real recordings are not here: fsdkaggle2018")
    for table in sorted((tagged / "FSDKaggle2018.meta").iterdir()):
        columns = (real / "FSDKaggle2018.meta" / table.name).read_text().splitlines()[0]
        assert table.read_text().splitlines()[0] == columns


def test_tagged_sounds_are_balanced_and_some_labels_are_wrong(tagged: Path) -> None:
    train, test, truth = read_tagged(tagged)
    assert len(set(test["label"])) == 10 and set(test["label"]) <= set(TAGS)
    assert Counter(truth["label"]) == dict.fromkeys(test["label"], 24)
    assert Counter(test["label"]) == dict.fromkeys(test["label"], 8)
    assert set(train["label"]) == set(test["label"])
    verified, wrong = train["manually_verified"] == 1, train["label"] != truth["label"]
    assert set(train["manually_verified"]) == {0, 1}
    assert 0.38 < verified.mean() < 0.44
    assert not wrong[verified].any() and 0.3 < wrong[~verified].mean() < 0.4


def test_tagged_sounds_are_audible_and_not_clipped(tagged: Path) -> None:
    seconds = []
    for path in tagged.glob("*/*.wav"):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 44100)
        assert 0.05 < np.abs(soundfile.read(path)[0]).max() < 0.95, path.name
        seconds.append(info.duration)
    assert 0.3 <= min(seconds) < 0.6 and 3 < max(seconds) <= 4
    assert len(set(seconds)) > 300


def test_tagged_sounds_can_be_told_apart_but_not_by_length_and_level(tagged: Path) -> None:
    _, test, truth = read_tagged(tagged)
    paths = [tagged / "FSDKaggle2018.audio_train" / name for name in truth["fname"]]
    paths += [tagged / "FSDKaggle2018.audio_test" / name for name in test["fname"]]
    labels = np.array([*truth["label"], *test["label"]])
    clips = [soundfile.read(path)[0] for path in paths]
    assert len({clip[:10000].tobytes() for clip in clips}) == len(clips)
    spectra = [log_spectrum(clip) for clip in clips]
    statistics = np.array([[*(power.max(axis=0) - power.max()), *power.std(axis=0)] for power in spectra])
    levels = np.array([[len(clip), clip.std(), np.abs(clip).max()] for clip in clips])
    is_test = np.arange(len(clips)) >= len(truth)
    assert 0.6 < find_accuracy(statistics, labels, is_test) < 0.95  # chance is 0.1
    assert find_accuracy(levels, labels, is_test) < 0.35


def test_tagged_sounds_are_the_same_in_another_process(tagged: Path, tmp_path: Path) -> None:
    code = """if True:
        for name in ("audio_train", "audio_test"):
            (folder / f"FSDKaggle2018.{name}").mkdir()
        for label in ("Snare_drum", "Chime"):
            demo_data._write_tagged_sounds(folder, label)
    """
    run_in_another_process(code, tmp_path)
    made = list(tmp_path.glob("*/*.wav"))
    assert len(made) == 64
    for path in made:
        assert path.read_bytes() == (tagged / path.relative_to(tmp_path)).read_bytes(), path.name


def test_existing_tagged_sounds_are_returned_as_they_are(tagged: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_write_tagged_sounds", None)
    assert make_tagged_sounds(tagged) == tagged


def test_tagged_sounds_without_the_truth_are_not_taken_for_whole(tagged: Path, tmp_path: Path) -> None:
    shutil.copytree(tagged, tmp_path / "tagged", copy_function=os.link)
    (tmp_path / "tagged" / "truth.csv").unlink()
    with pytest.raises(FileExistsError, match="only a part of the corpus"):
        make_tagged_sounds(tmp_path / "tagged")


def test_numbers_are_laid_out_as_numbers2(numbers: Path) -> None:
    names = ["test", "test-example.csv", "test-ood", "test-ood.csv", "test.csv", "train", "train.csv"]
    assert sorted(path.name for path in numbers.iterdir()) == names
    for split, n_clips in (("train", 30), ("test", 3), ("test-ood", 3)):
        assert b"\r" not in (numbers / f"{split}.csv").read_bytes()
        table = pd.read_csv(numbers / f"{split}.csv")
        assert list(table.columns) == ["path", "gender", "number", "speaker"]
        assert len(table) == n_clips and sorted(table["path"]) == [
            path.relative_to(numbers).as_posix() for path in sorted((numbers / split).iterdir())
        ]
        assert table["number"].dtype == np.int64 and table["number"].between(0, 999_999).all()
        assert set(table["gender"]) <= {"female", "male"}
    example = pd.read_csv(numbers / "test-example.csv")
    assert list(example.columns) == ["path"]
    assert set(example["path"]) <= set(pd.read_csv(numbers / "test-ood.csv")["path"])


def test_columns_are_those_of_the_real_numbers2(numbers: Path) -> None:
    if not (REAL_DATA / "numbers2").is_dir():
        pytest.skip("the real recordings are not here: numbers2")
    for table in sorted(numbers.glob("*.csv")):
        assert table.open().readline() == (REAL_DATA / "numbers2" / table.name).open().readline()


def test_numbers_are_audible_and_not_clipped(numbers: Path) -> None:
    for path in numbers.glob("*/*.wav"):
        info = soundfile.info(path)
        assert (info.format, info.subtype, info.channels, info.samplerate) == ("WAV", "PCM_16", 1, 16000)
        assert 0.2 < info.duration < 8, path.name
        assert 0.05 < np.abs(soundfile.read(path)[0]).max() < 0.95, path.name


def test_voices_of_numbers_are_apart_and_of_both_genders() -> None:
    training, test = synthetic._NUMBER_TRAINING_VARIANTS, synthetic._TEST_VARIANTS
    splits = synthetic._NUMBER_SPLITS
    assert splits == {"train": training, "test": training, "test-ood": test}
    assert len(set(training)) == len(training) and not set(training) & set(test)
    for variant in (*training, *test):
        text = (espeak.data_folder() / "voices" / "!v" / variant).read_text(encoding="utf-8").lower()
        gender = re.search(r"^gender\s+(\w+)", text, re.MULTILINE)
        if gender:
            assert (variant in synthetic._FEMALE_VARIANTS) == (gender[1] == "female"), variant


@pytest.mark.parametrize("language, seed", [("ru", 0), ("ru", 1), ("en-us", 0)])
def test_numbers_of_the_default_size_cover_every_digit_at_every_place(language: str, seed: int) -> None:
    clips = [("train", position) for position in range(9000)] + [("test-ood", position) for position in range(900)]
    tables = synthetic._list_numbers(language, seed, clips)
    rows = [row.split(",") for row in tables["train.csv"].decode().splitlines()[1:]]
    numbers = [int(row[2]) for row in rows]
    assert len(numbers) == 9000 and min(numbers) >= 0 and max(numbers) < 10**6
    lengths = Counter(len(str(number)) for number in numbers)
    assert lengths[6] > 0.7 * 9000 and all(lengths[length] > 100 for length in range(1, 7))
    for length in (1, 6):
        digits = Counter(
            (place, digit) for n in numbers if len(str(n)) == length for place, digit in enumerate(str(n))
        )
        assert len(digits) == (10 if length == 1 else 59)  # no number begins with zero but zero
        assert min(digits.values()) > (3 if length == 1 else 400)
    assert {*range(20)} <= set(numbers)
    assert sum(number % 1000 == 0 for number in numbers) > 100  # round thousands
    assert sum(str(number).count("0") > 2 for number in numbers) > 100
    assert len(set(numbers)) > 0.9 * len(numbers)
    assert 0.48 < np.mean([row[1] == "female" for row in rows]) < 0.52
    assert {row[3] for row in rows} == set(synthetic._NUMBER_TRAINING_VARIANTS)
    unseen = tables["test-ood.csv"].decode().splitlines()[1:]
    assert {row.split(",")[3] for row in unseen} == set(synthetic._TEST_VARIANTS)
    assert not {row.split(",")[2] for row in unseen[:100]} <= {row[2] for row in rows[:100]}


def test_numbers_are_the_same_in_any_number_of_processes_and_in_a_larger_corpus(
    numbers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak.speak("something else", "ru+f2")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    larger = make_spoken_numbers(tmp_path / "numbers", count=90)
    assert len(list(larger.glob("*/*.wav"))) == 108
    for path in numbers.glob("*/*.wav"):
        assert path.read_bytes() == (larger / path.relative_to(numbers)).read_bytes(), path.name
    for name in ("train.csv", "test.csv", "test-ood.csv"):
        assert (larger / name).read_text().startswith((numbers / name).read_text())
    assert len({path.read_bytes() for path in larger.glob("*/*.wav")}) == 108


def test_existing_numbers_are_returned_as_they_are(numbers: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_write_number", None)
    espeak.map_languages.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert make_spoken_numbers(numbers, count=30) == numbers


@pytest.mark.parametrize("other", [{"count": 31}, {"seed": 1}, {"language": "en-us"}])
def test_numbers_by_other_arguments_are_not_taken_for_these(numbers: Path, other: dict) -> None:
    with pytest.raises(FileExistsError, match=re.escape(f"{numbers}: it holds something else")):
        make_spoken_numbers(numbers, **{"count": 30, **other})


def test_default_folder_of_numbers_names_their_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic.constants, "HF_HOME", str(tmp_path))
    folder = make_spoken_numbers(language="EN-us", count=2, seed=7)
    assert folder == tmp_path / "hf_audio" / "demo" / f"spoken_numbers-en-us-2-7-v{synthetic.VERSION}"
    assert len(list(folder.glob("*/*.wav"))) == 4


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"language": "ru-RU"}, "no language 'ru-ru': the most similar tags are "),
        ({"language": "ru+f3"}, r"no language 'ru\+f3'"),
        ({"count": 0}, "count must be 1 or more, not 0"),
        ({"seed": -1}, "seed must be 0 or more, not -1"),
        ({"language": "sjn", "count": 1}, "cannot say .* in the language 'sjn'"),
        ({"language": "sjn", "count": 90}, "cannot say .* in the language 'sjn'"),  # in worker processes
    ],
)
def test_numbers_that_cannot_be_made_leave_nothing(
    wrong: dict, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(ValueError, match=sentence):
        make_spoken_numbers(tmp_path / "numbers", **wrong)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("espeakng_loader")
    return synthetic.make_voices(tmp_path_factory.mktemp("voices") / "corpus")


def test_voices_are_laid_out_as_common_voice(voices: Path) -> None:
    tables = {name: pd.read_csv(voices / f"{name}.tsv", sep="\t", dtype=str) for name in ("train", "dev", "test")}
    validated = pd.read_csv(voices / "validated.tsv", sep="\t", dtype=str)
    assert sum(map(len, tables.values())) == len(validated) == len(list((voices / "clips").iterdir()))
    clips = {name: set(table["path"]) for name, table in tables.items()}
    variants = {name: {path.rpartition("-")[2].partition("_")[0] for path in paths} for name, paths in clips.items()}
    assert not variants["train"] & (variants["dev"] | variants["test"]) and not variants["dev"] & variants["test"]
    for name, table in tables.items():
        spoken = table.dropna(subset="gender").drop_duplicates("client_id")["gender"].value_counts()
        assert set(spoken.index) == {"female_feminine", "male_masculine"} and spoken.min() > 0.6 * spoken.max(), name
    assert 0.1 < tables["train"]["gender"].isna().mean() < 0.15 and not tables["test"]["gender"].isna().any()


def test_columns_are_those_of_the_real_common_voice(voices: Path) -> None:
    header = real("common_voice_excerpt") / "train.tsv"
    assert (voices / "train.tsv").open().readline() == header.open().readline()


def test_voices_are_audible_and_not_clipped(voices: Path) -> None:
    for path in list((voices / "clips").iterdir())[::10]:
        audio, rate = soundfile.read(path)
        assert rate == 16000 and 1 < len(audio) / rate < 8 and 0.05 < np.abs(audio).max() < 0.95, path.name


def test_existing_voices_are_returned_as_they_are(voices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "_write_sentences", None)
    assert synthetic.make_voices(voices) == voices
