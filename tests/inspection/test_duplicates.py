"""Which recordings are one sound, whatever befell them, and which only sound alike."""

import numpy as np
import pytest
import soundfile
import soxr
from helpers.scenes import COPIES, SCENE_RATE, call, scene, write_copy

from hf_audio.inspection.clip_measures import measure_clip
from hf_audio.inspection.duplicates import correlate, distinctness, find_same_samples, find_same_sounds

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


@pytest.mark.parametrize("kind", ["noise", "mp3", "gain", "later"])
def test_copies_of_single_calls_are_found_and_nothing_else(kind, tmp_path):
    calls = [call(seed) for seed in range(20)]
    paths = []
    for seed, samples in enumerate(calls):
        paths.append(tmp_path / f"{seed}.wav")
        soundfile.write(paths[-1], samples, SCENE_RATE)
    for seed, samples in enumerate(calls):
        if kind == "later":  # and with noise
            samples = np.pad(samples, (500 * seed + 100, 0))
        paths.append(write_copy(kind if kind != "later" else "noise", samples, tmp_path / f"copy_{seed}", seed))
    groups = find_same_sounds([str(path) for path in paths], measure(paths))
    assert {group.members for group in groups} <= {(seed, 20 + seed) for seed in range(20)}
    assert len(groups) >= 18


def test_calls_drums_and_tones_of_one_kind_are_not_one_sound(tmp_path):
    random = np.random.default_rng(0)
    t = np.arange(SCENE_RATE // 2) / SCENE_RATE
    hann = np.hanning(len(t))
    kinds = {
        # One bird's call, whose length and pitches vary by some percent.
        "call": lambda: hann * np.sin(2 * np.pi * (3000 * _vary(random) * t + 1500 * _vary(random) * t**2)),
        # One drum, whose modes are struck more or less.
        "drum": lambda: sum(
            random.uniform(0.1, 1) * np.sin(2 * np.pi * mode * (t + 0.005 * np.exp(-60 * t))) * np.exp(-10 * t)
            for mode in (110, 175, 260, 330, 410)
        ),
        "tone": lambda: hann * np.sin(2 * np.pi * 1000 * t + random.uniform(0, 6)),
    }
    paths = []
    for kind, make in kinds.items():
        for number in range(12):
            samples = np.pad(0.3 * make(), (round(2000 * random.uniform(0, 1)), 4000))
            paths.append(tmp_path / f"{kind}_{number}.wav")
            soundfile.write(paths[-1], samples + 0.001 * random.standard_normal(len(samples)), SCENE_RATE)
    assert find_same_sounds([str(path) for path in paths], measure(paths)) == []


def _vary(random: np.random.Generator) -> float:
    return 1 + 0.03 * random.standard_normal()


def test_distinctness_is_seconds_times_band():
    t = np.arange(16000) / 16000
    tone = np.sin(2 * np.pi * 1000 * t)
    glide = np.sin(2 * np.pi * (1000 * t + 1000 * t**2))  # 2000 Hz wide
    noise = np.random.default_rng(0).standard_normal(16000)
    assert distinctness(tone) == pytest.approx(1, abs=0.5)
    assert distinctness(glide) == pytest.approx(2000, rel=0.1)
    assert distinctness(np.pad(glide, 16000)) == pytest.approx(2000, rel=0.1)
    # Of noise, half of what an even spectrum would have takes part.
    assert distinctness(noise) == pytest.approx(4000, rel=0.1)
    assert distinctness(np.zeros(100)) == 0


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
