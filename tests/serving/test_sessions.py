"""Streams over WebSocket: the same answers as offline, and a sentence for each broken rule."""

import json

import numpy as np
import pytest
from helpers.recordings import tone
from helpers.serving import CLIP, agree, converse, metric, pcm, refused_stream, stream_url, wait_for
from websockets.sync.client import connect

from hf_audio.inference.event_stream import EventStream
from hf_audio.inference.streaming import AudioStream
from hf_audio.serving.settings import Limits


@pytest.mark.parametrize("block", [37, 800, 10**6])
def test_a_stream_hears_what_it_hears_offline(block, url, classifier):
    samples = pcm(tone(700, 3.3, 11025))
    stream = AudioStream(classifier, sampling_rate=11025, hop_seconds=0.4)
    expected = stream.push(samples.astype(np.int16)) + stream.flush()
    with connect(stream_url(url, "?sampling_rate=11025&hop_seconds=0.4&top_k=3")) as websocket:
        events = converse(websocket, samples, block)
    with connect(stream_url(url, "?sampling_rate=8000")) as websocket:  # or said in its first message
        websocket.send('{"sampling_rate": 11025, "hop_seconds": 0.4, "model": "tones", "top_k": 3}')
        assert converse(websocket, samples, block) == events
    assert [(event["start"], event["end"]) for event in events] == [(e.start, e.end) for e in expected]
    for event, other in zip(events, expected, strict=True):
        agree(event["answer"], classifier.facts.name(other.scores))


def test_a_stream_tells_events_once_each(url, classifier):
    samples = pcm(np.concatenate([tone(300, 1.5), tone(2500, 1.5)]))
    expected = [event._asdict() for event in EventStream(classifier).listen([samples.astype(np.int16)])]
    with connect(stream_url(url, "?events=true")) as websocket:
        events = converse(websocket, samples, 1600)
    assert expected and len(events) == len(expected)
    for event, other in zip(events, expected, strict=True):
        assert event.pop("confidence") == pytest.approx(other.pop("confidence"), abs=1e-3) and event == other
    with connect(stream_url(url, "?events=true&model=numbers")) as websocket:
        websocket.send(bytes(100))
        refused_stream(websocket, 1007, "finds no events")


def test_streams_beside_each_other(url, numbers):
    with connect(stream_url(url, "?model=numbers")) as one, connect(stream_url(url)) as other:
        assert metric(url, "hf_audio_streams") == 2
        one.send(pcm(CLIP).tobytes())
        assert set(json.loads(one.recv(20))["answer"]) == {"text", "score"}
        assert converse(other, pcm(CLIP), 100)[-1]["end"] == pytest.approx(1.7)
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        ([b"123"], 1007, "3 bytes ends within a sample"),
        (["{"], 1007, "JSON"),
        (["[1]"], 1007, "JSON"),
        (['{"hop_seconds": 0.001}'], 1007, "hop_seconds: .*0.05"),
        (['{"hop_seconds": 1e9}'], 1007, "hop_seconds: .*30"),
        (['{"type": "cat"}'], 1007, "type: "),
        (['{"sampling_rat": 8000}'], 1007, "^'sampling_rat' is not known here: .*sampling_rate"),
        (['{"model": "' + "x" * 500 + '"}'], 1007, "tones, numbers"),
        ([bytes(100), '{"sampling_rate": 8000}'], 1003, "has begun"),
        ([bytes(2**20 + 2)], 1009, None),
    ],
)
def test_broken_rules_of_a_stream(messages, code, words, url):
    with connect(stream_url(url)) as websocket:
        for message in messages:
            websocket.send(message)
        refused_stream(websocket, code, words)
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("?sampling_rate=7", "^sampling_rate: "),
        ("?hop_seconds=x", "^hop_seconds: "),
        ("?model=cats", "tones, numbers"),
        ("?top_k=0", "^top_k: "),
        ("?topk=3", "^'topk' is not known here: .*hop_seconds, top_k"),
    ],
)
def test_wrong_queries_of_a_stream(query, words, url):
    with connect(stream_url(url, query)) as websocket:
        refused_stream(websocket, 1007, words)


def test_silent_streams_end_and_too_many_do_not_begin(gated):
    url, _ = gated(Limits(max_streams=1, timeout_seconds=3))
    with connect(stream_url(url)) as websocket:
        wait_for(lambda: metric(url, "hf_audio_streams") == 1)
        with connect(stream_url(url)) as other:
            refused_stream(other, 1013, "1 streams are open")
        refused_stream(websocket, 1001, "Nothing came for 3 s")
    wait_for(lambda: metric(url, "hf_audio_streams") == 0)
