"""What is chosen by looking at recordings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hf_audio.data.bands import BORDERS
from hf_audio.data.survey import Survey
from hf_audio.models import AudioCNNConfig
from hf_audio.training.general_sounds.presets import PRESETS
from hf_audio.training.general_sounds.signal import fit_signal, pace
from hf_audio.training.recordings.defaults import choose_defaults, describe_unheard


def chosen(rates, seconds, n_clips=None, **given):
    survey = Survey(np.asarray(rates), np.asarray(seconds, dtype=float), n_clips or len(rates))
    return {name: value for name, (value, _) in choose_defaults(survey, given).items()}


def test_esc50_gets_its_own_recipe():
    values = chosen([44100] * 1600, [5.0] * 1600)
    assert values == {
        "sampling_rate": 22050,
        "clip_seconds": 5.0,
        "excerpt_seconds": 2.5,
        "per_device_train_batch_size": 64,
        "per_device_eval_batch_size": 64,
        "num_train_epochs": 240,
    }
    signal = fit_signal(
        PRESETS["default"], *(values[name] for name in ("sampling_rate", "clip_seconds", "excerpt_seconds"))
    )
    assert signal == PRESETS["default"]


def test_muon_needs_fewer_epochs_but_a_few_clips_are_heard_as_often_as_it_takes():
    epochs = [chosen([44100], [5.0], n, optim="muon")["num_train_epochs"] for n in (1600, 200, 50)]
    assert epochs == [80, 80, 120]


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([8000] * 9, 8000),
        ([16000] * 9, 16000),
        ([48000] * 9, 22050),
        ([44100] * 6 + [8000] * 3, 22050),
        ([8000] * 6 + [44100] * 3, 8000),
        ([24000] * 9, 22050),
        ([12000] * 9, 11025),
        ([4000] * 9, 4000),
    ],
)
def test_no_rate_above_what_most_recordings_have(rates, expected):
    assert chosen(rates, [1.0] * 9)["sampling_rate"] == expected


def bands_at(*hertz):
    """Of recordings whose whole sound lies in the band above so many Hz each."""
    return np.array(
        [BORDERS[:-1].searchsorted(low * 1.001) - 1 == np.arange(len(BORDERS) - 1) for low in hertz], float
    )


@pytest.mark.parametrize(
    ("held", "hertz", "expected"),
    [
        (256000, [25000] * 5 + [50000] * 5, 128000),
        (384000, [120000] * 9 + [3000], 384000),
        (250000, [70000] * 3 + [3000] * 7, 192000),  # some ultrasound, by a recorder for it
        (192000, [3000] * 20 + [30000], 22050),
        (44100, [13000] * 9, 32000),
        (48000, [13000] * 4 + [3000] * 6, 22050),  # less than half is no reason to pay for it
        (22050, [3000] * 9, 22050),
        (16000, [100] * 9, 16000),
    ],
)
def test_a_rate_that_hears_where_the_sounds_lie(held, hertz, expected, caplog):
    survey = Survey(np.full(20, held), np.ones(20), 20, bands_at(*hertz))
    value, why = choose_defaults(survey, {})["sampling_rate"]
    assert value == expected and ("of the recordings have most of their sound above 11 kHz" in why) == (value > 22050)


def test_what_is_not_heard_is_told():
    survey = Survey(np.full(20, 48000), np.ones(20), 20, bands_at(*[13000] * 4, *[3000] * 6))
    (sentence,) = describe_unheard(survey, 22050, 20, 11025)
    assert "40% of the recordings have most of their sound above 11025 Hz" in sentence
    assert "give --sampling_rate 32000" in sentence
    assert describe_unheard(survey, 32000, 20, 16000) == []
    assert len(describe_unheard(survey, 48000, 20, 2000)) == 1, "by --f_max"
    deep = Survey(np.full(20, 44100), np.ones(20), 20, bands_at(*[20] * 19, 3000))
    (sentence,) = describe_unheard(deep, 22050, 20, 11025)
    assert "lies below 217 Hz, where the network has few of its bands: give --f_max 217, and --f_min 5" in sentence
    assert describe_unheard(deep, 500, 5, 217) == []
    assert describe_unheard(Survey(np.full(20, 44100), np.ones(20), 20, np.zeros((9, 62))), 22050, 20, 11025) == []


@pytest.mark.parametrize(
    ("f_max", "expected"), [(217, 500), (3000, 8000), (8000, 16000), (20000, 44100), (30000, 44100)]
)
def test_the_rate_holds_the_highest_frequency_asked_for(f_max, expected):
    assert chosen([44100] * 9, [1.0] * 9, f_max=f_max)["sampling_rate"] == expected


def test_recordings_of_high_rates_are_judged_fewer_at_once():
    assert chosen([44100] * 9, [10.0] * 9, sampling_rate=220500)["per_device_eval_batch_size"] == 6


def test_lengths_follow_the_recordings():
    assert chosen([16000] * 20, [1.0] * 20)["clip_seconds"] == 1.0
    assert chosen([16000] * 20, [1.0] * 20)["excerpt_seconds"] == 1.0
    long = chosen([16000] * 20, [600.0] * 20)
    assert (long["clip_seconds"], long["excerpt_seconds"]) == (10.0, 2.5)
    assert long["per_device_eval_batch_size"] == 1
    assert long["num_train_epochs"] > chosen([16000] * 20, [5.0] * 20)["num_train_epochs"]
    assert chosen([16000] * 100, [1.0] * 99 + [60.0])["clip_seconds"] == 1.0  # one long recording is judged in windows


def test_what_the_user_gives_is_left_alone_and_the_rest_follows_it():
    values = chosen([44100] * 9, [5.0] * 9, clip_seconds=1.5, num_train_epochs=3)
    assert set(values) == {
        *("sampling_rate", "excerpt_seconds", "per_device_train_batch_size", "per_device_eval_batch_size")
    }
    assert values["excerpt_seconds"] == 1.5


recordings = st.lists(
    st.tuples(st.sampled_from([1000, 8000, 11025, 16000, 22050, 32000, 44100, 48000, 192000]), st.floats(0.01, 7200)),
    min_size=1,
    max_size=30,
)


@given(recordings, st.integers(1, 10**6))
def test_whatever_the_recordings_a_model_can_be_built_and_a_reason_told(heard, n_clips):
    rates, seconds = map(np.array, zip(*heard, strict=True))
    choices = choose_defaults(Survey(rates, seconds, n_clips), {})
    values = {name: value for name, (value, _) in choices.items()}
    assert all(why for _, why in choices.values())
    assert np.mean(rates >= values["sampling_rate"]) >= 0.5
    assert values["excerpt_seconds"] <= values["clip_seconds"] <= 10
    assert 8 <= values["per_device_train_batch_size"] <= 64 and values["num_train_epochs"] >= 1
    signal = (values["sampling_rate"], values["clip_seconds"], values["excerpt_seconds"])
    for preset in PRESETS.values():
        config = AudioCNNConfig(**fit_signal(preset, *signal))
        faster = pace(config.sampling_rate, config.min_seconds, preset["min_seconds"])
        frame_seconds = config.hop_length / config.sampling_rate * faster
        assert frame_seconds == pytest.approx(256 / 22050, rel=0.1)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_more_clips_are_never_heard_less_often_in_all(few, many):
    few, many = sorted((few, many))
    heard = [n * chosen([16000], [5.0], n)["num_train_epochs"] for n in (few, many)]
    assert heard[0] <= heard[1] * 1.05


def test_where_clips_come_several_times_an_epoch_there_are_fewer_epochs():
    survey = Survey(np.array([16000]), np.array([5.0]), 1600)
    plain, balanced = (choose_defaults(survey, {}, drawn)["num_train_epochs"] for drawn in (None, 6720))
    assert (plain.value, balanced.value) == (240, 57), "4.2 times as many clips an epoch"
    assert "of which an epoch draws 6720 excerpts: 383040 in all" in balanced.why
