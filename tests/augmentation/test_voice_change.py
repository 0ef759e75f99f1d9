"""A voice changed in pitch, formants, pace and tilt, each without the others."""

import numpy as np
import pytest
from helpers.recordings import vowel
from hypothesis import given, settings
from hypothesis import strategies as st

from hf_audio.augmentation import voice_change
from hf_audio.augmentation.amortized import seed_transforms
from hf_audio.augmentation.voice_change import ChangeVoice, find_marks, move_pitch, tilt
from hf_audio.runs.pitch import median_pitch

RATE = 16000


def changed_vowel(pitch: float = 1.0, formants: float = 1.0, pace: float = 1.0, tilt_db: float = 0.0) -> np.ndarray:
    """A vowel of 110 Hz, changed by what is given alone."""
    change = ChangeVoice(max_semitones=12, p=1)
    told = {"pitch": 110 * pitch, "formants": formants, "pace": pace, "tilt_db": tilt_db}
    change.parameters = {"should_apply": True, **told}
    return change.apply(vowel(110), RATE)


def strongest_near(waveform: np.ndarray, frequency: float) -> float:
    """Centre of the energy within 300 Hz of a formant, in Hz."""
    energy = np.abs(np.fft.rfft(waveform * np.hanning(len(waveform)))) ** 2
    axis = np.fft.rfftfreq(len(waveform), 1 / RATE)
    near = np.abs(axis - frequency) < 300
    return float((axis[near] * energy[near]).sum() / energy[near].sum())


@pytest.mark.parametrize("semitones", [-8, -3, 5, 10])
def test_another_pitch_leaves_formants_pace_and_loudness(semitones):
    factor = 2 ** (semitones / 12)
    changed = changed_vowel(pitch=factor)
    assert changed.dtype == np.float32 and len(changed) == pytest.approx(len(vowel(110)), abs=2)
    assert median_pitch(changed, RATE) == pytest.approx(110 * factor, rel=0.02)
    for formant in (1200, 2500):  # played faster alone, it would move by up to three quarters
        assert strongest_near(changed, formant) == pytest.approx(strongest_near(vowel(110), formant), rel=0.05)
    assert np.square(changed).mean() == pytest.approx(np.square(vowel(110)).mean(), rel=0.01)


@pytest.mark.parametrize("formants", [0.9, 1.1])
def test_other_formants_leave_pitch_and_pace(formants):
    changed = changed_vowel(formants=formants)
    assert median_pitch(changed, RATE) == pytest.approx(110, rel=0.02)
    assert len(changed) == pytest.approx(len(vowel(110)), rel=0.01)
    moved = strongest_near(changed, 1200 * formants) / strongest_near(vowel(110), 1200)
    assert moved == pytest.approx(formants, rel=0.03)


@pytest.mark.parametrize("pace", [0.8, 1.3])
def test_another_pace_leaves_the_pitch(pace):
    changed = changed_vowel(pace=pace)
    assert len(changed) == pytest.approx(len(vowel(110)) / pace, rel=0.01)
    assert median_pitch(changed, RATE) == pytest.approx(110, rel=0.02)


def test_a_tilt_is_of_so_many_decibels_an_octave():
    noise = np.random.default_rng(0).standard_normal(RATE)
    before, after = (np.abs(np.fft.rfft(sound)) for sound in (noise, tilt(noise, RATE, 3.0)))
    for hertz, db in ((100, 0), (500, 3), (1000, 6), (4000, 12), (7000, 12)):
        assert 20 * np.log10(after[hertz] / before[hertz]) == pytest.approx(db, abs=1e-5)


@pytest.mark.parametrize(("pitch", "pace"), [(0.6, 1.0), (1.0, 0.7), (1.5, 1.4), (2.2, 1.0)])
def test_pieces_of_two_periods_are_laid_out_one_by_one(pitch, pace):
    # A voice between two stretches of noise, which have no pitch.
    noise = np.random.default_rng(0).standard_normal(RATE // 5).astype(np.float32) * 0.01
    waveform = np.concatenate([noise, vowel(140)[: RATE // 2], noise])
    marks = find_marks(waveform, RATE)
    assert 0.2 < marks.voiced.mean() < 0.9
    size = round(len(waveform) / pace)
    expected, weights = np.zeros((2, size))
    place = marks.places[0] / pace
    while place < size:
        near = np.abs(marks.places - place * pace).argmin()
        period = marks.periods[near] / (pitch if marks.voiced[near] else 1)
        half = int(min(period, marks.periods[near]))
        for offset, weight in zip(range(-half, half + 1), np.hanning(2 * half + 1), strict=True):
            source, target = marks.places[near] + offset, round(place) + offset
            if 0 <= source < len(waveform) and 0 <= target < size:
                expected[target] += weight * waveform[source]
                weights[target] += weight
        place += period
    moved = move_pitch(waveform, marks, pitch, pace)
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, expected / np.maximum(weights, 1), atol=1e-5 * np.abs(expected).max())


def test_marks_of_a_clip_are_found_once_and_not_kept_without_end(monkeypatch):
    heard = []

    def count(samples, sample_rate):
        heard.append(len(samples))
        return find_marks(samples, sample_rate)

    monkeypatch.setattr(voice_change, "find_marks", count)
    monkeypatch.setattr(voice_change, "MOST_MARKS", 200)
    clips = [vowel(own)[: RATE // 2] for own in (110, 140, 170)]  # of some 55, 70 and 85 marks
    change = ChangeVoice(p=1)
    for epoch in range(3):
        for clip in clips:
            seed_transforms(epoch)
            changed = change(samples=clip, sample_rate=RATE)
            seed_transforms(epoch)
            assert np.array_equal(changed, ChangeVoice(p=1)(samples=clip, sample_rate=RATE)), "as of a new one"
    assert len(heard) == 9 + 3 + 2, "the third does not fit"


def test_high_and_low_voices_come_to_the_same_places_but_not_too_far():
    seed_transforms(0)
    change = ChangeVoice(100, 300, max_semitones=7, p=1)
    pitches = {own: [median_pitch(change(vowel(own), RATE), RATE) for _ in range(12)] for own in (110, 220)}
    lowest, highest = ([pick(heard) for heard in pitches.values()] for pick in (min, max))
    assert 98 < lowest[0] < 120 and lowest[1] == pytest.approx(220 / 2 ** (7 / 12), rel=0.03)
    assert highest[0] == pytest.approx(110 * 2 ** (7 / 12), rel=0.03) and 250 < highest[1] < 306


@settings(deadline=None, max_examples=15)
@given(samples=st.integers(1, 5000), seed=st.integers(0, 99))
def test_a_voice_changes_within_its_bounds_and_stays_finite(samples, seed):
    seed_transforms(seed)
    waveform = np.random.default_rng(seed).standard_normal(samples).astype(np.float32) * (seed % 3)
    change = ChangeVoice(90, 330, 14, 0.05, 0.9, 1.3, 3, p=1)
    changed = change(samples=waveform, sample_rate=RATE)
    assert 90 <= change.parameters["pitch"] <= 330 and 0.9 <= change.parameters["pace"] <= 1.3
    assert 1 / 1.05 <= change.parameters["formants"] <= 1.05 and abs(change.parameters["tilt_db"]) <= 3
    assert changed.dtype == np.float32 and np.isfinite(changed).all()
    assert samples / 1.3 / 1.05 - 2 <= len(changed) <= samples / 0.9 * 1.05 + 2


def test_bounds_that_cannot_be_are_refused():
    for bounds in ((300, 100), (90, 330, -1), (90, 330, 14, 1.0), (90, 330, 14, 0.1, 1.2, 1.1)):
        with pytest.raises(ValueError, match="must"):
            ChangeVoice(*bounds)
