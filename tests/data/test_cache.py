"""Decoded audio: what is kept, when it is made again, and files that cannot be used."""

import os
import signal

import librosa
import numpy as np
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio.audio.loading import load_audio
from hf_audio.data import cache
from hf_audio.data.cache import cache_audio, cached_waveform, longest_clip
from hf_audio.data.rows import from_rows, load_class_folders
from hf_audio.errors import DataError


def test_cached_audio_is_the_decoded_audio(tone_folder):
    cached, skipped = cache_audio(load_class_folders(tone_folder), 16000)
    assert skipped == [] and len(cached) == 36
    for row in cached.select([0, 20]):
        np.testing.assert_allclose(cached_waveform(row["audio"]), load_audio(row["path"], 16000), atol=1 / 32767)


def test_files_are_decoded_once_and_again_only_when_they_change(tone_folder, monkeypatch):
    dataset = load_class_folders(tone_folder)
    cache_audio(dataset, RATE)
    monkeypatch.setattr(cache, "load_audio", lambda *_: pytest.fail("decoded again"))
    again, _ = cache_audio(load_class_folders(tone_folder), RATE)
    assert again.cache_files and len(again) == 36
    monkeypatch.undo()
    soundfile.write(tone_folder / "low" / "0.wav", tone(300, 0.9), RATE)
    changed, _ = cache_audio(load_class_folders(tone_folder), RATE)
    by_path = {row["path"]: len(row["audio"]) // 2 for row in changed}
    assert by_path[str(tone_folder / "low" / "0.wav")] == 7200


def test_bad_files_are_left_out_by_name_or_refused_with_strict(tone_folder):
    (tone_folder / "low" / "bad.wav").write_bytes(b"noise")
    soundfile.write(tone_folder / "mid" / "silent.wav", np.zeros(4000), RATE)
    dataset = load_class_folders(tone_folder)
    (tone_folder / "high" / "3.wav").unlink()
    cached, skipped = cache_audio(dataset, RATE)
    assert len(cached) == 35
    reasons = {os.path.basename(row["path"]): row["reason"] for row in skipped}
    assert set(reasons) == {"bad.wav", "silent.wav", "3.wav"}
    assert "not audio" in reasons["bad.wav"] and "every sample is zero" in reasons["silent.wav"]
    assert "cannot be read" in reasons["3.wav"]
    with pytest.raises(DataError, match="3 files cannot be used and --strict is on"):
        cache_audio(dataset, RATE, strict=True)


def test_a_file_that_the_system_would_not_read_is_tried_again(tone_folder, monkeypatch):
    target = str(tone_folder / "low" / "0.wav")
    system_open = os.open

    def failing(path, *arguments, **keywords):
        if str(path) == target:
            raise OSError(5, "Input/output error")
        return system_open(path, *arguments, **keywords)

    monkeypatch.setattr(os, "open", failing)
    with pytest.raises(DataError, match="--strict is on"):
        cache_audio(load_class_folders(tone_folder), RATE, strict=True)
    monkeypatch.undo()
    assert cache_audio(load_class_folders(tone_folder), RATE, strict=True)[1] == []
    soundfile.write(target, tone(300, 0.7), RATE)
    monkeypatch.setattr(os, "open", failing)
    _, skipped = cache_audio(load_class_folders(tone_folder), RATE)
    assert [row["path"] for row in skipped] == [target]
    monkeypatch.undo()
    assert cache_audio(load_class_folders(tone_folder), RATE)[1] == []


def test_an_empty_part_is_refused(tone_folder):
    with pytest.raises(DataError, match="no clips in the training or the test part"):
        cache_audio(load_class_folders(tone_folder).select([]), RATE)


def test_a_data_set_without_a_usable_clip_is_refused(tone_folder):
    for file in tone_folder.glob("*/*"):
        file.write_bytes(b"")
    with pytest.raises(DataError, match="None of the 36 files"):
        cache_audio(load_class_folders(tone_folder), RATE)


def test_the_longest_clip_is_found(tone_folder):
    dataset, _ = cache_audio(load_class_folders(tone_folder), RATE)
    some = dataset.select([30, 3, 11, 14])
    durations = {path: round(librosa.get_duration(path=path) * RATE) for path in some["path"]}
    path, samples = longest_clip(some)
    assert samples == durations[path] == max(durations.values()) > min(durations.values())


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tone_folder, tmp_path, monkeypatch):
    resource = pytest.importorskip("resource")  # not on Windows
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    # Files of a few kilobytes at most, as a full disk would allow.
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(DataError, match=r"The decoded clips cannot be kept in .*cache.*: make room there"):
            cache_audio(load_class_folders(tone_folder), 8000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / "cache").rglob("*.arrow"))


def test_what_is_trained_on_is_what_is_heard_in_use(tmp_path):
    """Whatever its samples are counted in, and however faint: to what rounding to 16 bits leaves of the peak."""
    sound = tone(300)
    kinds = {
        "counts": sound * 32768,
        "pascals": sound * 7,
        "faint": sound * 4e-5,
        "fainter": sound * 1e-9,
        "whole": np.round(sound * 32768),
        "opposed": np.stack([sound, -sound], 1),
        "dead": np.stack([0 * sound, sound], 1),
        "plain": sound,
    }
    for name, samples in kinds.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, RATE, subtype="FLOAT")
    files = [str(tmp_path / f"{name}.wav") for name in kinds]
    for rate in (RATE, 6000):
        cached, skipped = cache_audio(from_rows(files, [*"abababab"]), rate)
        assert skipped == []
        for row in cached:
            heard = load_audio(row["path"], rate)
            worst = 1e-3 * np.abs(heard).max()
            np.testing.assert_allclose(cached_waveform(row["audio"]), heard, atol=worst, err_msg=row["path"])


def test_only_zeros_are_called_zero(tmp_path):
    soundfile.write(tmp_path / "zero.wav", np.zeros(1000), RATE)
    soundfile.write(tmp_path / "faint.wav", tone(300) * 1e-6, RATE, subtype="FLOAT")
    files = [str(tmp_path / "zero.wav"), str(tmp_path / "faint.wav")]
    cached, (skipped,) = cache_audio(from_rows(files, ["a", "b"]), RATE)
    assert cached["path"][:] == [files[1]] and "every sample is zero" in skipped["reason"]
