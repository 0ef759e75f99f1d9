"""Servers of tiny checkpoints, over real sockets."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE
from helpers.serving import LIMITS, GatedClassifier, serving

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.classifier import AudioClassifier
from hf_audio.serving.service import Service
from hf_audio.serving.settings import Limits


@pytest.fixture(scope="module")
def numbers(tmp_path_factory) -> Path:
    """A checkpoint that reads numbers of three digits."""
    folder = tmp_path_factory.mktemp("numbers")
    trained_looking_model(tiny_config(num_digits=3, pooling="attention")).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier(checkpoint) -> AudioClassifier:
    return load_classifier(checkpoint)


@pytest.fixture(scope="module")
def service(checkpoint, numbers) -> Service:
    return Service({"tones": checkpoint, "numbers": numbers}, LIMITS)


@pytest.fixture(scope="module")
def url(service) -> Iterator[str]:
    with serving(service) as url:
        yield url


@pytest.fixture
def online(monkeypatch):
    """As users have it; the other tests must not reach the Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


@pytest.fixture
def gated(monkeypatch) -> Iterator[Callable[..., tuple[str, GatedClassifier]]]:
    """Starts servers of a classifier with a gate."""
    with contextlib.ExitStack() as stack:

        def start(limits: Limits) -> tuple[str, GatedClassifier]:
            network = GatedClassifier()
            monkeypatch.setattr("hf_audio.serving.service.load_classifier", lambda checkpoint: network)
            url = stack.enter_context(serving(Service({"gated": "here"}, limits)))
            stack.callback(network.gate.set)
            return url, network

        yield start
