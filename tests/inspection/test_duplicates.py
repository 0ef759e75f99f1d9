"""Which recordings are one sound, whatever befell them, and which only sound alike."""

import numpy as np
import pytest
import soundfile
import soxr
from helpers.scenes import COPIES, SCENE_RATE, scene, write_copy

from hf_audio.inspection.clip_measures import measure_clip
from hf_audio.inspection.duplicates import correlate, find_same_samples, find_same_sounds

N_SOUNDS = 12


def measure(paths):
    return [measure_clip(str(path)) for path in paths]


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    sounds = [scene(seed) for seed in range(N_SOUNDS)]
    for seed, samples in enumerate(sounds):
        soundfile.write(folder / f"{seed}.wav", samples, SCENE_RATE)
    paths = [folder / f"{seed}.wav" for seed in range(N_SOUNDS)]
    return sounds, paths, measure(paths)


@pytest.mark.parametrize("kind", COPIES)
def test_each_copy_is_found_and_nothing_else(kind, originals, tmp_path):
    sounds, paths, measures = originals
    copies = [write_copy(kind, samples, tmp_path / f"copy_{seed}", seed) for seed, samples in enumerate(sounds)]
    groups = find_same_sounds([*map(str, paths), *map(str, copies)], [*measures, *measure(copies)])
    assert {group.members for group in groups} == {(seed, N_SOUNDS + seed) for seed in range(N_SOUNDS)}
    for group in groups:
        (link,) = group.links
        assert link.correlation > 0.85
        lost = sounds[0].size / SCENE_RATE - soundfile.info(copies[group.members[0]]).duration
        assert link.shift == pytest.approx(-lost if kind == "trim" else 0, abs=0.002 if kind == "trim" else 0.06)


def test_parts_of_one_recording_are_one_group(tmp_path):
    whole = scene(77, 8.0)
    starts = [0.0, 1.5, 3.1]
    paths = []
    for number, start in enumerate(starts):
        paths.append(tmp_path / f"part {number}.flac")
        begin = round(start * SCENE_RATE)
        soundfile.write(paths[-1], whole[begin : begin + 3 * SCENE_RATE + number], SCENE_RATE)
    (group,) = find_same_sounds([str(path) for path in paths], measure(paths))
    assert group.members == (0, 1, 2)
    assert [(link.first, link.second) for link in group.links] == [(0, 1), (1, 2)]
    assert [link.shift for link in group.links] == pytest.approx([-1.5, -1.6], abs=0.002)
    assert [link.seconds for link in group.links] == pytest.approx([1.5, 1.4], abs=0.01)


def test_same_samples_across_formats_and_headers(tmp_path):
    samples = np.round(scene(5) * 32767) / 32768
    written = {
        "a.wav": {"subtype": "PCM_16"},
        "b.flac": {},
        "c.wav": {"subtype": "FLOAT"},
        "d.aiff": {"subtype": "PCM_24"},
        "other.wav": {"subtype": "PCM_16"},
    }
    for name, options in written.items():
        gain = 0.5 if name == "other.wav" else 1
        soundfile.write(tmp_path / name, samples * gain, SCENE_RATE, **options)
    soundfile.write(tmp_path / "rate.wav", samples, 2 * SCENE_RATE)
    names = [*written, "rate.wav"]
    (group,) = find_same_samples(measure(tmp_path / name for name in names))
    assert [names[number] for number in group.members] == ["a.wav", "b.flac", "c.wav", "d.aiff"]


def test_silence_is_no_copy_of_silence_and_padding_matches_nothing(tmp_path):
    paths = []
    for seed in range(6):
        short = scene(seed, 0.4)
        samples = np.zeros(3 * SCENE_RATE, np.float32)
        if seed > 2:
            samples[: len(short)] = short
        paths.append(tmp_path / f"{seed}.wav")
        soundfile.write(paths[-1], samples, SCENE_RATE)
    measures = measure(paths)
    assert find_same_samples(measures) == [] and find_same_sounds([str(path) for path in paths], measures) == []


def test_two_takes_of_one_voice_are_not_one_sound(real_digits):
    paths = [real_digits / "recordings" / f"{digit}_george_{take}.wav" for digit in range(10) for take in range(10)]
    assert find_same_sounds([str(path) for path in paths], measure(paths)) == []


@pytest.mark.parametrize("lag", [0, 0.00713, -0.0101])
def test_correlation_of_a_shifted_copy(lag):
    # A shift by fractions of a sample, in the spectrum.
    first = soxr.resample(scene(3), SCENE_RATE, 16000)
    spectrum = np.fft.rfft(first, 2 * len(first))
    turned = spectrum * np.exp(-2j * np.pi * np.fft.rfftfreq(2 * len(first), 1 / 16000) * lag)
    second = -0.2 * np.fft.irfft(turned)[: len(first)]
    correlation, found = correlate(first, second.astype(np.float32))
    assert correlation > 0.98 and found == pytest.approx(lag, abs=1e-4)
    assert correlate(first, soxr.resample(scene(4), SCENE_RATE, 16000))[0] < 0.2
    assert correlate(first, np.zeros_like(first))[0] == 0
