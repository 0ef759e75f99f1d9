"""The front-end as convolutions and in numpy: torch's features, by other means."""

import importlib.util

import numpy as np
import pytest
import torch
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import tone

from hf_audio.export.devices.static import StaticParts, read_constants, write_reference
from hf_audio.export.devices.static_frontend import ConvolutionalMelSpectrogram, StaticMaxPooling
from hf_audio.export.footprint import count_multiply_adds, peak_bytes
from hf_audio.inference.facts import Facts
from hf_audio.models.backbones import MeanMaxPooling
from hf_audio.models.frontends import MelSpectrogram

KINDS = {
    "decibels": {"top_db": 30},
    "cepstra": {"frontend": "mfcc", "center_features": True, "hop_length": 77},
    "magnitudes": {"power": 1, "remove_level": True, "n_fft": 210, "win_length": 199},
}


@pytest.fixture(scope="module", params=KINDS)
def model(request):
    return trained_looking_model(tiny_config(**KINDS[request.param]))


@pytest.fixture(scope="module")
def reference(model, tmp_path_factory):
    """The module and the constants that lie beside an exported file, by which a device's programmer has them."""
    folder = tmp_path_factory.mktemp("reference")
    facts = Facts.from_config(model.config, model.config.sampling_rate)
    files = write_reference(StaticParts(model, model, read_constants(model), facts), folder, "sounds")
    assert [file.name for file in files] == ["sounds_frontend.npz", "sounds_frontend.py"]
    spec = importlib.util.spec_from_file_location("sounds_frontend", files[1])
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module, module.FrontEnd(files[0])


def torchs_features(model, window):
    with torch.no_grad():
        return model.featurize(torch.from_numpy(window)[None])[0].numpy()


@pytest.mark.parametrize(
    ("n_fft", "win_length", "hop_length", "power"),
    [(256, 200, 80, 1), (400, 400, 160, 2), (2048, 1103, 441, 2), (97, 97, 31, 2)],
)
def test_convolutions_give_the_spectrogram(n_fft, win_length, hop_length, power):
    spectrogram = MelSpectrogram(tiny_config(n_fft=n_fft, win_length=win_length, hop_length=hop_length, power=power))
    convolutions = ConvolutionalMelSpectrogram(spectrogram)
    for n_samples in (1, 700, 5003):
        x = torch.randn(1, n_samples)
        expected = spectrogram(x)
        torch.testing.assert_close(convolutions(x), expected, rtol=1e-4, atol=1e-6 * float(expected.max()))
    assert (
        sum(each.numel() for each in convolutions.parameters()) < n_fft * 30 or n_fft == 97
    )  # a prime has no factors


def test_a_pooling_is_the_maximum():
    x = torch.randn(1, 5, 17)
    torch.testing.assert_close(StaticMaxPooling(adds_mean=True)(x, None), MeanMaxPooling()(x, None))
    torch.testing.assert_close(StaticMaxPooling(adds_mean=False)(x, None), x.amax(-1))


def test_the_reference_gives_torchs_features(model, reference):
    _, frontend = reference
    quiet = tone(440, 1.0) * np.linspace(1e-3, 1, 8000, dtype=np.float32)
    for window in (tone(700, 1.0), quiet, np.zeros(8000, np.float32)):
        np.testing.assert_allclose(frontend.features(window), torchs_features(model, window), rtol=1e-3, atol=2e-4)


def test_a_stream_computes_shared_frames_once(model, reference):
    module, frontend = reference
    sound = np.concatenate([tone(hertz, 0.9) for hertz in (300, 1200, 2500)])
    stream = module.FrameStream(frontend, 2000)
    assert abs(stream.hop - 2000) <= frontend.hop / 2 and stream.hop % frontend.hop == 0
    told = [features for at in range(0, len(sound), 611) for features in stream.push(sound[at : at + 611])]
    starts = range(0, len(sound) - 8000 + 1, stream.hop)
    assert len(told) == len(starts)
    for start, features in zip(starts, told, strict=True):
        np.testing.assert_allclose(features, frontend.features(sound[start : start + 8000]), rtol=1e-5, atol=1e-5)
    n_shared = frontend.n_frames - stream.hop // frontend.hop
    edges = np.count_nonzero(~stream.inner)
    assert edges <= 6
    assert stream.n_computed <= len(starts) * (frontend.n_frames - n_shared + edges) + n_shared


def test_a_graph_is_counted():
    class Layers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = torch.nn.Conv2d(2, 4, 3, padding=1, bias=False)
            self.linear = torch.nn.Linear(4, 5)

        def forward(self, x):
            return self.linear(torch.relu(self.conv(x)).mean((2, 3)))

    program = torch.export.export(Layers(), (torch.zeros(1, 2, 10, 8),), strict=False)
    assert count_multiply_adds(program) == 4 * 10 * 8 * 2 * 9 + 20
    assert peak_bytes(program, 1) == (2 + 4) * 80  # a convolution's input and output
    assert peak_bytes(program, 4) == 4 * (2 + 4) * 80
