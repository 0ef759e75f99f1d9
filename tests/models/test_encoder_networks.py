"""Networks that were trained elsewhere: their front-ends, their windows, and the numbers of the original code."""

import math

import librosa
import numpy as np
import pytest
import torch
from helpers.wheels import fetched_encoder, random_encoder

from hf_audio import AudioEncoderConfig
from hf_audio.models.configuration_audio_encoder import ENCODERS
from hf_audio.models.encoder_networks import NETWORKS, SoundEffects, SpeakerEncoder, SpeechEmbedding

each_encoder = pytest.mark.parametrize("name", NETWORKS)


def made_sound(rate: int, seconds: float) -> np.ndarray:
    """A swept tone and clicks, by a formula: (samples,) float32."""
    t = np.arange(round(rate * seconds)) / rate
    swept = 0.2 * np.sin(2 * np.pi * (150 * t + 120 * t**2))
    clicks = 0.1 * np.sin(2 * np.pi * 1900 * t) * (t % 0.3 < 0.05)
    return (swept + clicks).astype(np.float32)


# What the original code or its interpreter gives for made sounds of so many seconds: how many windows, and of their
# mean and of the last of them sixteen numbers, evenly spaced. Resemblyzer 0.1.4 without its voice activity detection,
# pyopen-wakeword 1.1.0 (the whole sound through either file, the mean taken here), aisfx 0.1.2 with Essentia.
# fmt: off
ORIGINALS = {
    ("ge2e", 3.7): (
        4,
        [0, .09426, 0, .00266, .00834, .0295, .01561, 0, .02375, .13452, .02158, .02798, 0, 0, .0028, .1216],
        [0, .08382, 0, 0, 0, 0, 0, 0, 0, .08815, 0, .03694, 0, 0, 0, .08328],
    ),
    ("ge2e", 0.9): (
        1,
        [0, .04366, 0, .02135, 0, 0, 0, 0, 0, .00281, .10154, .02059, 0, 0, .15145, .04854],
        [0, .04366, 0, .02135, 0, 0, 0, 0, 0, .00281, .10154, .02059, 0, 0, .15145, .04854],
    ),
    ("speech", 1.5): (
        9,
        [-16.74801, -7.47308, -7.86146, 9.78419, -12.57041, -3.26125, 33.78846, 46.89476,
         3.9322, -4.30518, 1.49036, 11.52311, 11.20847, -19.89248, 8.59084, .97717],
        [-17.35204, -7.35591, -4.02356, 9.03547, -19.05942, -3.87365, 37.11214, 47.81098,
         4.05354, -1.82605, -2.66121, 14.42563, 8.96748, -17.47531, 11.33545, -.95442],
    ),
    ("sfx", 5.0): (
        3,
        [.70204, .15753, 2.32254, .14176, 1.11326, 1.1691, 1.89603, .99615,
         1.47649, 1.10886, 1.88059, .16761, 1.2032, .33862, 1.13755, .21479],
        [.56016, .17048, 2.07294, .0376, 1.10172, 1.0371, 2.14223, 1.01616,
         1.03538, .487, 1.65226, .10268, 1.3302, .38516, .52869, .11238],
    ),
    ("sfx", 1.5): (
        1,
        [1.11302, .21551, 2.06928, .25378, .89713, 1.37374, 1.14064, 1.0536,
         .81207, 2.02679, 2.01938, .45127, 1.01742, .30001, 1.82158, 1.17022],
        [1.11302, .21551, 2.06928, .25378, .89713, 1.37374, 1.14064, 1.0536,
         .81207, 2.02679, 2.01938, .45127, 1.01742, .30001, 1.82158, 1.17022],
    ),
}
# fmt: on


@pytest.mark.parametrize(("name", "seconds"), ORIGINALS)
def test_the_numbers_of_the_original(name, seconds):
    model = fetched_encoder(name)
    n_windows, mean, last = ORIGINALS[name, seconds]
    with torch.no_grad():
        output = model(torch.from_numpy(made_sound(model.config.sampling_rate, seconds))[None])
    assert output.last_hidden_state.shape[:2] == (1, n_windows)
    step = model.config.embedding_size // 16
    np.testing.assert_allclose(output.pooler_output[0, ::step], mean, rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(output.last_hidden_state[0, -1, ::step], last, rtol=1e-5, atol=1e-4)


# --- front-ends ------------------------------------------------------------------------------------------------------


def test_the_speaker_encoder_hears_librosas_mel_energies_of_a_loud_enough_voice():
    network = SpeakerEncoder(AudioEncoderConfig(encoder="ge2e"))
    quiet = 0.01 * made_sound(16000, 1.0)
    raised = network._raise(torch.from_numpy(quiet)[None], torch.tensor([16000]))
    assert 10 * math.log10(raised.square().mean()) == pytest.approx(-30, abs=1e-3)
    loud = torch.from_numpy(made_sound(16000, 1.0))[None]
    torch.testing.assert_close(network._raise(loud, torch.tensor([16000])), loud)
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(loud[0].numpy(), 200), 400)[::160]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    filters = librosa.filters.mel(sr=16000, n_fft=400, n_mels=40)
    expected = filters @ np.abs(np.fft.rfft(frames * window)).T ** 2
    np.testing.assert_allclose(network.frontend(loud)[0], expected, rtol=1e-3, atol=1e-6 * expected.max())


def test_the_speech_embedding_hears_decibels_of_frames_that_begin_with_the_clip():
    heard = []
    network = SpeechEmbedding(AudioEncoderConfig(encoder="speech"))
    network.layers[0].register_forward_pre_hook(lambda _, inputs: heard.append(inputs[0]))
    waveform = made_sound(16000, 1.0)
    waveform[8000:] = 0  # where the floor is
    network(torch.from_numpy(waveform)[None], torch.tensor([16000]))
    frames = np.lib.stride_tricks.sliding_window_view(waveform * 32768.0, 512)[::160]
    window = np.pad(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400), 56)
    filters = librosa.filters.mel(sr=16000, n_fft=512, n_mels=32, fmin=60, fmax=3800)
    decibels = 10 * np.log10(np.maximum(np.abs(np.fft.rfft(frames * window)) ** 2 @ filters.T, 1e-10))
    expected = np.maximum(decibels, decibels.max() - 80) / 10 + 2
    assert heard[0].shape == (1, 1, *expected.shape)
    np.testing.assert_allclose(heard[0][0, 0], expected, atol=1e-3)


def test_sound_effects_hear_essentias_mel_energies():
    network = SoundEffects(AudioEncoderConfig(encoder="sfx"))
    waveform = torch.from_numpy(made_sound(44100, 0.5))[None]
    energies = network.frontend(torch.nn.functional.pad(waveform, (0, -waveform.shape[1] % 1024)))[0]
    # As Essentia 2.1b6 gives them, by frames and bands.
    expected = [
        [6.0226, 7.24646, 4.03456, 3.75136, 0.21095],
        [2.17301, 7.74567, 0.43878, 0.00858, 0.0],
        [1.27391, 6.75247, 0.7723, 0.0, 0.0],
        [4.92917, 5.39519, 4.67868, 1.20672, 0.00491],
    ]
    assert energies.shape == (96, 23)
    found = torch.log10(1e4 * energies + 1).T[[0, 1, 11, 22]][:, [0, 5, 12, 40, 95]]
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(network.frontend.mel_filters.sum(1), 1, rtol=1e-5)


# --- windows ---------------------------------------------------------------------------------------------------------


def partial_utterances(n_samples: int) -> int:
    """As Resemblyzer counts them."""
    n_frames = math.ceil((n_samples + 1) / 160)
    starts = range(0, max(1, n_frames - 160 + 77 + 1), 77)
    covered = (n_samples - starts[-1] * 160) / 25600
    return len(starts) - (covered < 0.75 and len(starts) > 1)


def blocks(n_samples: int) -> int:
    """As aisfx counts them, without the last one where it is not full."""
    n_frames = math.ceil(n_samples / 1024) + 1
    n_blocks = math.ceil((n_frames - 100) / 50 + 1)
    return max(n_blocks - ((n_frames - 100) % 50 != 0), 1)


def embeddings_in_a_row(n_samples: int) -> int:
    """As many windows of 76 frames, one every 8, as fit; of a short clip, those in 1.5 s of silence."""
    heard = n_samples if n_samples >= 12512 else 24000
    return ((heard - 512) // 160 + 1 - 76) // 8 + 1


@pytest.mark.parametrize(
    ("name", "count"), [("ge2e", partial_utterances), ("speech", embeddings_in_a_row), ("sfx", blocks)]
)
def test_as_many_windows_as_in_the_original(name, count):
    network = NETWORKS[name](AudioEncoderConfig(encoder=name))
    window, hop = ENCODERS[name].window_samples, network.HOP_FRAMES * network.HOP_LENGTH
    near = [window + k * hop + d for k in (-1, 0, 1, 2, 7) for d in (-1, 0, 1, -hop // 4, hop // 3)]
    lengths = torch.tensor([1, 100, *range(500, 5 * window, 1237), *near])
    assert network.n_windows(lengths).tolist() == [count(int(length)) for length in lengths]


@each_encoder
def test_padding_changes_no_answer(name):
    model = random_encoder(name)
    rate, window = model.config.sampling_rate, ENCODERS[name].window_samples
    lengths = [window + model.network.HOP_FRAMES * model.network.HOP_LENGTH + 7, window // 4]
    clips = [torch.randn(length, generator=torch.Generator().manual_seed(length)) * 0.1 for length in lengths]
    padded = torch.full((2, lengths[0] + rate // 4), 0.5)  # what lies in the padding is not heard
    for row, clip in zip(padded, clips, strict=True):
        row[: len(clip)] = clip
    mask = torch.arange(padded.shape[1]) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        together = model(padded, mask.long())
        for row, clip in enumerate(clips):
            alone = model(clip[None])
            n_windows = alone.last_hidden_state.shape[1]
            torch.testing.assert_close(together.last_hidden_state[row, :n_windows], alone.last_hidden_state[0])
            assert not together.last_hidden_state[row, n_windows:].any()
            torch.testing.assert_close(together.pooler_output[row], alone.pooler_output[0])


def test_short_words_are_heard_in_the_middle_of_silence():
    model = random_encoder("speech")
    word = torch.from_numpy(made_sound(16000, 0.4))[None]
    surrounded = torch.nn.functional.pad(word, (8800, 8800))  # to 1.5 s
    with torch.no_grad():
        expected = model(surrounded).pooler_output
        torch.testing.assert_close(model(word).pooler_output, expected)
        longer = AudioEncoderConfig(encoder="speech", min_seconds=1.5)
        other = type(model)(longer).eval()
        other.load_state_dict(model.state_dict())
        torch.testing.assert_close(other(surrounded[:, 4000:-4000]).pooler_output, expected)
        assert not torch.allclose(model(surrounded[:, 4000:-4000]).pooler_output, expected)


@each_encoder
def test_silence_and_half_precision_give_finite_numbers(name):
    model = random_encoder(name)
    waveform = torch.from_numpy(made_sound(model.config.sampling_rate, 2.5))[None]
    silence = torch.zeros_like(waveform)
    with torch.no_grad():
        assert model(silence).pooler_output.isfinite().all()
        exact = model(waveform).pooler_output
        half = model.bfloat16()
        assert half.network.frontend.mel_filters.dtype == torch.float32
        coarse = half(waveform).pooler_output
        assert coarse.dtype == torch.bfloat16
        assert torch.cosine_similarity(coarse.float(), exact) > 0.99
