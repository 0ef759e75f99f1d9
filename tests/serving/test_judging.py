"""Recordings through the networks of a service: many at once, hours of silence, scores that are not finite."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
import requests
import soundfile
from helpers.recordings import encoded, tone
from helpers.serving import CLIP, WAV, agree, metric, pcm, refused, refused_stream, stream_url, upload
from websockets.sync.client import connect

from hf_audio.serving.settings import Limits


def test_many_at_once_are_told_what_each_is_told_alone(url, classifier):
    clips = [tone(200 + 90 * i, 0.2 + (i * 7 % 40) / 10, seed=i) for i in range(40)]
    with ThreadPoolExecutor(20) as clients:
        answers = list(
            clients.map(lambda clip: requests.post(url, encoded(clip, subtype="FLOAT"), timeout=20).json(), clips)
        )
    for clip, answer in zip(clips, answers, strict=True):
        agree(answer, classifier(clip))
    assert metric(url, "hf_audio_batch_windows_sum") > 1.5 * metric(url, "hf_audio_batch_windows_count")


def silence(seconds: int, **kwargs) -> bytes:
    """Takes about 25 bytes a second in FLAC, and 70 in Ogg Vorbis."""
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", 8000, 1, **kwargs) as file:
        for _ in range(seconds):  # libsndfile overflows its stack on an hour of Vorbis at once
            file.write(np.zeros(8000, dtype=np.float32))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("seconds", "kind"),
    [(7200, {"format": "FLAC", "subtype": "PCM_16"}), (900, {"format": "OGG", "subtype": "VORBIS"})],
)
def test_hours_in_a_small_file_are_not_decoded(seconds, kind, url):
    file, process = silence(seconds, **kind), psutil.Process()
    assert len(file) < 200_000
    requests.post(url, file, timeout=20)
    memory = process.memory_info().rss
    for _ in range(5):
        refused(requests.post(url, file, timeout=20), 413, "longer than 20 s")
    assert process.memory_info().rss - memory < 20e6  # two hours at 8 kHz take 230 MB


def test_scores_that_are_not_finite_never_leave(gated, monkeypatch):
    url, network = gated(Limits())
    scores = np.array([[np.nan, 0.5]], dtype=np.float32)
    monkeypatch.setattr(network, "score", lambda windows: scores.repeat(len(windows), 0))
    refused(requests.post(url, WAV, timeout=20), 422, "scores are not finite: the recording is too loud")
    refused(upload(url, hop_seconds=0.5), 422, "scores are not finite")
    with connect(stream_url(url)) as websocket:
        websocket.send(pcm(CLIP).tobytes())
        refused_stream(websocket, 1007, "scores are not finite")
