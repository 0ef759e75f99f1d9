"""What an audio file is answered: labels, windows, moments and vectors, each as it is offline."""

import numpy as np
import pytest
import requests
import soundfile
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE
from helpers.serving import CLIP, LIMITS, WAV, agree, converse, pcm, refused, serving, stream_url, upload
from huggingface_hub import InferenceClient
from transformers import pipeline
from websockets.sync.client import connect

from hf_audio import AudioCNNFeatureExtractor
from hf_audio.inference.checkpoint import load_classifier
from hf_audio.inference.embedder import load_embedder
from hf_audio.inference.frames import frame_scores
from hf_audio.inference.streaming import AudioStream, FrameStream
from hf_audio.serving.service import Service


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize("problem_type", [None, "multi_label_classification"])
def test_functions_of_the_logits_are_the_pipelines(online, function, problem_type, tmp_path):
    trained_looking_model(tiny_config(problem_type=problem_type)).save_pretrained(tmp_path)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path)
    soundfile.write(tmp_path / "a.wav", CLIP, RATE, subtype="FLOAT")
    expected = pipeline("audio-classification", str(tmp_path))(str(tmp_path / "a.wav"), function_to_apply=function)
    with serving(Service({"tones": tmp_path}, LIMITS)) as url:
        agree(InferenceClient(model=url).audio_classification(WAV, function_to_apply=function), expected)
    if function == "none":
        assert not all(0 <= row["score"] <= 1 for row in expected)


def test_upload(url, classifier, numbers):
    prediction = upload(url, top_k=1).json()
    assert (prediction["model"], prediction["seconds"]) == ("tones", pytest.approx(1.7))
    assert "windows" not in prediction
    agree(prediction["answer"], classifier(WAV)[:1])
    answer = upload(url, model="numbers").json()["answer"]
    assert answer == {"text": load_classifier(numbers)(WAV)["text"], "score": answer["score"]}


@pytest.mark.parametrize("options", [{"hop_seconds": 0.25}, {"window_seconds": 0.6}])
def test_windows_of_an_upload_are_those_of_a_stream(options, url, classifier):
    stream = AudioStream(classifier, **options)
    events = stream.push(CLIP) + stream.flush()
    windows = upload(url, **options).json()["windows"]
    assert [(w["start"], w["end"]) for w in windows] == [(event.start, event.end) for event in events]
    for window, event in zip(windows, events, strict=True):
        agree(window["answer"], classifier.facts.name(event.scores))


def test_moments_of_an_upload_and_of_a_stream_are_those_offline(url, classifier):
    stretches = list(frame_scores(classifier, [CLIP]))
    expected = np.concatenate([each.scores for each in stretches])
    frames = upload(url, frames="true").json()["frames"]
    assert (frames["labels"], frames["frame_seconds"]) == (
        classifier.labels,
        pytest.approx(stretches[0].frame_seconds),
    )
    assert np.array(frames["scores"]) == pytest.approx(expected, abs=1e-5)
    refused = upload(url, model="numbers", frames="true")
    assert refused.status_code == 422 and "finds no events" in refused.json()["error"]
    with connect(stream_url(url, "?frames=true&hop_seconds=0.3")) as websocket:
        messages = converse(websocket, pcm(CLIP), 997)
    stream = FrameStream(classifier, hop_seconds=0.3)
    stretches = stream.push(pcm(CLIP).astype(np.int16)) + stream.flush()
    assert [message["start"] for message in messages] == pytest.approx([each.start for each in stretches])
    for message, each in zip(messages, stretches, strict=True):
        assert np.array(message["scores"]) == pytest.approx(each.scores, abs=1e-5)


def test_so_many_windows_as_one_asks_for_and_no_more_than_fit_into_an_answer(url, classifier, monkeypatch):
    monkeypatch.setattr("hf_audio.serving.requests.PIECE_BYTES", 1000)  # in many pieces
    response = upload(url, hop_seconds="0.05", top_k=2)
    windows = response.json()["windows"]
    assert len(windows) == 15 and int(response.headers["content-length"]) == len(response.content) > 1900
    agree(windows[-1]["answer"], classifier.facts.name(classifier.score([CLIP[-RATE:]])[0], 2))
    monkeypatch.setattr("hf_audio.serving.judging.MAX_ANSWER_LABELS", 29)
    refused(upload(url, hop_seconds="0.05", top_k=2), 422, "^top_k: 2 labels of each of 15 windows are more than 29")
    assert upload(url, hop_seconds="0.05", top_k=1).ok


def test_an_upload_is_embedded_as_a_whole_and_by_windows(url, service, checkpoint, monkeypatch):
    def ask(**fields):
        return requests.post(f"{url}/v1/embed", files={"file": ("clip.wav", WAV)}, data=fields, timeout=20)

    embedder = load_embedder(checkpoint)
    told = ask().json()
    assert told["model"] == "tones" and told["seconds"] == 1.7 and list(told) == ["model", "seconds", "embedding"]
    np.testing.assert_allclose(told["embedding"], embedder.embed_recording(CLIP), rtol=1e-4, atol=1e-5)
    windows = ask(hop_seconds="0.5").json()["windows"]
    assert [(window["start"], window["end"]) for window in windows] == [(0, 1), (0.5, 1.5), (0.7, 1.7)]
    expected = embedder.embed([CLIP[RATE // 2 : 3 * RATE // 2]])[0]
    np.testing.assert_allclose(windows[1]["embedding"], expected, rtol=1e-4, atol=1e-5)
    assert len(ask(model="numbers").json()["embedding"]) == 3 * embedder.size  # of every digit
    refused(ask(model="cats"), 404, "tones, numbers")
    refused(ask(hop_seconds="0"), 422, "^hop_seconds: ")
    refused(requests.post(f"{url}/v1/embed", WAV, timeout=20), 415, "This is no form")
    monkeypatch.setattr("hf_audio.serving.judging.MAX_ANSWER_NUMBERS", 3 * embedder.size - 1)
    refused(ask(hop_seconds="0.5"), 422, "12 numbers of each of 3 windows are more than 35: give a longer one")
    monkeypatch.setitem(service._without_embeddings, "tones", "It has no output 'embeddings'.")
    refused(ask(), 422, "no output 'embeddings'")
