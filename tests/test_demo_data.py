import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("espeakng_loader")

from hf_audio import demo_data
from hf_audio.demo_data import make_spoken_digits, speak, voice_variants

NAME = re.compile(r"(\d)_([a-z0-9-]+)_(\d+)\.wav")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_spoken_digits(tmp_path_factory.mktemp("demo") / "digits")


def list_clips(corpus: Path) -> list[tuple[int, str, int]]:
    matches = [NAME.fullmatch(path.name) for path in sorted((corpus / "recordings").iterdir())]
    return [(int(match[1]), match[2], int(match[3])) for match in matches if match]


def find_pitch(audio: np.ndarray, rate: int) -> float:
    """Find the median pitch in Hz of the louder frames, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(audio, rate // 20)[:: rate // 100]
    frames = frames[frames.std(axis=1) > 0.5 * frames.std(axis=1).max()]
    correlation = np.fft.irfft(np.abs(np.fft.rfft(frames - frames.mean(axis=1, keepdims=True), rate // 8)) ** 2)
    shortest, longest = rate // 400, rate // 60
    return float(np.median(rate / (shortest + correlation[:, shortest:longest].argmax(axis=1))))


def test_speak_gives_mono_float_samples() -> None:
    audio, rate = speak("seven")
    assert rate == 22050
    assert audio.dtype == np.float32 and audio.ndim == 1
    assert 0.2 < len(audio) / rate < 1
    assert 0.1 < np.abs(audio).max() < 1


def test_speak_reads_any_script() -> None:
    short, long = (len(speak(text, "ru")[0]) for text in ("два", "двадцать два"))
    assert long > 1.3 * short


def test_speak_does_not_depend_on_what_was_spoken_before() -> None:
    before = [speak("seven", voice)[0] for voice in ("en-us", "en-us+f5")]  # f5 has breath noise
    speak("something else", "ru+f2")
    after = [speak("seven", voice)[0] for voice in ("en-us", "en-us+f5")]
    np.testing.assert_array_equal(np.concatenate(before), np.concatenate(after))


def test_voices_differ() -> None:
    sounds = {speak("nine", voice)[0].tobytes() for voice in ("en-us", "en-gb", "en-us+f3", "en-us+m3", "ru")}
    assert len(sounds) == 5


def test_pitch_and_rate_do_what_they_say() -> None:
    low, middle, high = (find_pitch(*speak("one nine", pitch=pitch)) for pitch in (20, 50, 80))
    assert low < 0.85 * middle < 0.75 * high
    assert find_pitch(*speak("one nine", "en-us+f3")) > 1.5 * middle
    slow, fast = (len(speak("one nine", words_per_minute=pace)[0]) for pace in (120, 240))
    assert slow > 1.5 * fast


@pytest.mark.parametrize("voice, named", [("tlh", "tlh"), ("en-us+nobody", "nobody"), ("en-us+", "''"), ("", "''")])
def test_unknown_voice_raises(voice: str, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        speak("one", voice)


def test_number_out_of_range_raises() -> None:
    with pytest.raises(ValueError, match="pitch must be from 0 to 99, not 100"):
        speak("one", pitch=100)


def test_voice_variants_are_sorted() -> None:
    variants = voice_variants()
    assert variants == sorted(variants)
    assert {"m1", "f1", *demo_data._TRAINING_VARIANTS, *demo_data._TEST_VARIANTS} <= set(variants)


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_speak_works_after_fork() -> None:
    import multiprocessing

    audio, _ = speak("two")
    with multiprocessing.get_context("fork").Pool(1) as pool:
        np.testing.assert_array_equal(pool.apply(speak, ("two",))[0], audio)


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
    # Loaded by its path: importing the whole package would take most of the time.
    code = """if True:
        import importlib.util, pathlib, sys
        spec = importlib.util.spec_from_file_location("demo_data", sys.argv[1])
        demo_data = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(demo_data)
        speakers = demo_data._list_digit_speakers()
        for voice, first_index in (speakers[-1], speakers[0]):
            demo_data._write_digits(pathlib.Path(sys.argv[2]), voice, first_index, 3)
    """
    subprocess.run([sys.executable, "-c", code, str(demo_data.__file__), str(tmp_path)], check=True)
    made = list(tmp_path.iterdir())
    assert len(made) == 60
    for path in made:
        assert path.read_bytes() == (corpus / "recordings" / path.name).read_bytes(), path.name


def test_existing_corpus_is_returned_as_it_is(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data, "_write_digits", None)
    assert make_spoken_digits(corpus) == corpus


def test_default_folder_is_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_data.constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(demo_data, "_TRAINING_VARIANTS", ())
    monkeypatch.setattr(demo_data, "_TEST_VARIANTS", ("f2",))
    folder = make_spoken_digits()
    assert folder == tmp_path / "hf_audio" / "demo" / f"spoken_digits-v{demo_data.VERSION}"
    assert len(list_clips(folder)) == 60
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, RuntimeError])
def test_failed_making_leaves_nothing(
    failure: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_then_fail(folder: Path, *_: object) -> None:
        (folder / "0_half_0.wav").touch()
        raise failure

    monkeypatch.setattr(demo_data, "_write_digits", write_then_fail)
    with pytest.raises(failure):
        make_spoken_digits(tmp_path / "digits")
    assert not list(tmp_path.iterdir())


def test_loser_of_a_race_takes_the_corpus_of_the_winner(tmp_path: Path) -> None:
    def write(folder: Path) -> None:
        (folder / "recordings").mkdir()
        (folder / "recordings" / "0.wav").write_text(folder.name)

    def write_after_the_winner(folder: Path) -> None:
        write(folder)
        demo_data._make_corpus(tmp_path / "digits", "", 1, write)
        losers.append(folder.name)

    losers: list[str] = []
    folder = demo_data._make_corpus(tmp_path / "digits", "", 1, write_after_the_winner)
    assert list(tmp_path.iterdir()) == [folder]
    assert (folder / "recordings" / "0.wav").read_text() not in losers


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=re.escape(f"cannot be made in {tmp_path / 'file' / 'digits'}")):
        make_spoken_digits(tmp_path / "file" / "digits")
    with pytest.raises(FileExistsError, match=re.escape(f"cannot be made in {tmp_path}: it holds something else")):
        make_spoken_digits(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
