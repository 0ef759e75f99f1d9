"""`pipeline("audio-classification")` with whatever people hold in their hands."""

import http.server
import itertools
import logging
import threading

import numpy as np
import pytest
import soundfile
import soxr
import torch
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.recordings import RATE, speech, tone
from transformers import ASTConfig, ASTFeatureExtractor, ASTForAudioClassification, pipeline
from transformers.pipelines.pt_utils import KeyDataset

from hf_audio import AudioClassificationPipeline, AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from hf_audio.audio.speech import keep_speech
from hf_audio.audio.windows import split_windows
from hf_audio.errors import AudioError


@pytest.fixture(scope="module")
def classify(checkpoint):
    return pipeline("audio-classification", model=str(checkpoint))


@pytest.fixture(scope="module")
def model(checkpoint):
    return AudioCNNForAudioClassification.from_pretrained(checkpoint).eval()


def scores(answer) -> dict[str, float]:
    return {entry["label"]: entry["score"] for entry in answer}


def expected(model, waveform: np.ndarray) -> dict[str, float]:
    """The same by hand: every window through the model, probabilities averaged."""
    windows = split_windows(waveform, model.config.clip_samples)
    with torch.no_grad():
        probabilities = [model(torch.from_numpy(window)[None]).logits.softmax(-1)[0] for window in windows]
    mean = torch.stack(probabilities).mean(0).tolist()
    return {model.config.id2label[i]: value for i, value in enumerate(mean)}


CLIP = tone(700, 0.8)


def test_importing_the_package_puts_its_pipeline_in_place(classify):
    assert isinstance(classify, AudioClassificationPipeline)


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg"])
def test_files_and_bytes_of_many_kinds(classify, model, tmp_path, extension):
    path = tmp_path / f"clip.{extension}"
    soundfile.write(path, CLIP, RATE)
    decoded = soundfile.read(path, dtype="float32")[0]
    want = pytest.approx(expected(model, decoded), abs=1e-5)
    assert scores(classify(str(path))) == want
    assert scores(classify(path)) == want
    assert scores(classify(path.read_bytes())) == want
    assert scores(classify({"bytes": path.read_bytes(), "path": None})) == want
    assert scores(classify({"path": str(path), "bytes": None})) == want


def test_other_rates_and_stereo(classify, model, tmp_path):
    high = tone(700, 0.8, rate=44100)
    soundfile.write(tmp_path / "stereo.wav", np.stack([high, 0.5 * high], 1), 44100, subtype="FLOAT")
    want = pytest.approx(expected(model, soxr.resample(0.75 * high, 44100, RATE)), abs=1e-4)
    assert scores(classify(str(tmp_path / "stereo.wav"))) == want
    assert scores(classify({"array": np.stack([high, 0.5 * high]), "sampling_rate": 44100})) == want


def test_arrays_and_tensors(classify, model):
    want = pytest.approx(expected(model, CLIP), abs=1e-5)
    given = {"raw": CLIP, "sampling_rate": RATE}
    for clip in (CLIP, torch.from_numpy(CLIP), CLIP.astype(np.float64), given, {"array": CLIP, "sampling_rate": RATE}):
        assert scores(classify(clip)) == want
    assert set(given) == {"raw", "sampling_rate"}


def test_urls(classify, model, tmp_path):
    soundfile.write(tmp_path / "clip.wav", CLIP, RATE, subtype="FLOAT")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert scores(classify(f"{address}/clip.wav")) == pytest.approx(expected(model, CLIP), abs=1e-5)
        with pytest.raises(AudioError, match="404"):
            classify(f"{address}/gone.wav")
        server.shutdown()


def test_long_audio_is_judged_in_windows(classify, model):
    parts = [tone(300, 14.3), tone(2500, 20.1, seed=1)]
    long = np.concatenate(parts)
    assert len(split_windows(long, RATE)) > 32
    assert scores(classify(long)) == pytest.approx(expected(model, long), abs=1e-5)
    whole = classify(long, window_seconds=60)
    with torch.no_grad():
        at_once = model(torch.from_numpy(long)[None]).logits.softmax(-1)[0].tolist()
    assert scores(whole) == pytest.approx(dict(zip(("low", "mid", "high"), at_once, strict=True)), abs=1e-5)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7])
def test_batches_give_what_single_calls_give(classify, batch_size):
    clips = [tone(300 * (i + 1), seconds, seed=i) for i, seconds in enumerate((0.3, 2.7, 0.05, 1.0, 0.9, 4.1))]
    alone = [scores(classify(clip)) for clip in clips]
    together = classify(clips, batch_size=batch_size)
    for one, many in zip(alone, together, strict=True):
        assert scores(many) == pytest.approx(one, abs=1e-4)
    streamed = [scores(answer) for answer in classify(iter_clips(clips), batch_size=batch_size)]
    assert [pytest.approx(one, abs=1e-4) for one in alone] == streamed


def iter_clips(clips):
    yield from clips


class Clips(torch.utils.data.Dataset):
    """As most are written: whatever `getitem` finds, and no IndexError behind the last one."""

    def __init__(self, getitem):
        self.getitem = getitem

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return self.getitem(index)


class Stream(torch.utils.data.IterableDataset):
    def __iter__(self):
        return iter(TONES)


TONES = [tone(hertz, 0.6) for hertz in (300, 700, 2500)]
DATASETS = {
    "endless": Clips(lambda index: TONES[index % 3]),
    "rows by their labels": Clips(dict(enumerate(TONES)).__getitem__),
    "with an end": Clips(TONES.__getitem__),
    "a part": torch.utils.data.Subset(Clips(lambda index: TONES[index % 3]), [0, 1, 2]),
    "two joined": torch.utils.data.ConcatDataset(
        [torch.utils.data.Subset(Clips(TONES.__getitem__), part) for part in ([0], [1, 2])]
    ),
    "a column": KeyDataset([{"audio": clip} for clip in TONES], "audio"),
    "a stream": Stream(),
}


@pytest.mark.parametrize("options", [{}, {"batch_size": 2}, {"num_workers": 1}], ids=str)
@pytest.mark.parametrize("dataset", DATASETS.values(), ids=DATASETS)
def test_a_data_set_is_answered_to_its_last_item(classify, dataset, options):
    if options.get("num_workers"):
        options = {**options, "batch_size": 2}
    answers = list(itertools.islice(classify(dataset, **options), 5))
    assert [scores(answer) for answer in answers] == [
        pytest.approx(scores(classify(clip)), abs=1e-5) for clip in TONES
    ]


def test_an_index_error_within_a_data_set_does_not_end_it_in_silence(classify):
    with pytest.raises(IndexError, match="broken"):
        list(classify(Clips(lambda index: TONES[0] if index == 0 else _raise(IndexError("broken")))))


def _raise(error):
    raise error


def test_top_k_when_built_and_in_a_call(checkpoint, classify):
    two = pipeline("audio-classification", model=str(checkpoint), top_k=2)
    assert len(two(CLIP)) == 2 and len(two(CLIP, top_k=1)) == 1 and len(two(CLIP)) == 2
    assert len(classify(CLIP)) == 3 and len(classify(CLIP, top_k=None)) == 3 and len(classify(CLIP, top_k=99)) == 3
    assert len(two(CLIP, top_k=None)) == 3
    ranked = [entry["score"] for entry in classify(CLIP)]
    assert ranked == sorted(ranked, reverse=True)
    with pytest.raises(ValueError, match="top_k=0"):
        classify(CLIP, top_k=0)
    with pytest.raises(ValueError, match="top_k='2' must be a whole number"):
        classify(CLIP, top_k="2")


def test_a_rate_beside_an_array_is_not_passed_over(checkpoint, classify):
    with pytest.raises(ValueError, match=r'sampling_rate: the pipeline has no such argument: give \{"array"'):
        classify(CLIP, sampling_rate=44100)
    with pytest.raises(ValueError, match=r"topk: the pipeline has no such argument\."):
        pipeline("audio-classification", model=str(checkpoint), topk=2)
    with pytest.raises(ValueError, match="window_seconds=nan must be positive"):
        classify(CLIP, window_seconds=np.nan)


def test_a_network_that_was_just_trained_answers_and_does_not_learn(checkpoint, classify):
    model = AudioCNNForAudioClassification.from_pretrained(checkpoint).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    of_model = pipeline("audio-classification", model=model, feature_extractor=classify.feature_extractor)
    assert scores(of_model(CLIP)) == pytest.approx(scores(classify(CLIP)), abs=1e-6)
    assert model.training
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_no_recordings_have_no_answers(classify):
    assert classify([]) == [] and classify([], batch_size=4) == []


def test_the_rate_of_a_data_set_in_the_format_of_torch(classify):
    clip = torch.from_numpy(np.repeat(CLIP, 2))
    want = pytest.approx(scores(classify({"array": clip, "sampling_rate": 2 * RATE})))
    assert scores(classify({"array": clip, "sampling_rate": torch.tensor(2 * RATE)})) == want
    with pytest.raises(ValueError, match="the sampling rate '8000'"):
        classify({"array": clip, "sampling_rate": "8000"})


def test_multi_label_scores_are_independent(checkpoint):
    several = pipeline("audio-classification", model=str(checkpoint))
    several.model.config.problem_type = "multi_label_classification"
    with torch.no_grad():
        want = several.model(torch.from_numpy(CLIP)[None]).logits.sigmoid()[0].tolist()
    assert sorted(entry["score"] for entry in several(CLIP)) == pytest.approx(sorted(want), abs=1e-5)


def test_a_model_in_bfloat16_hears_the_whole_waveform(checkpoint, classify):
    half = pipeline("audio-classification", model=str(checkpoint), dtype=torch.bfloat16)
    assert half.model.dtype == torch.bfloat16
    assert scores(half(CLIP)) == pytest.approx(scores(classify(CLIP)), abs=0.03)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("no/such/file.wav", r"file\.wav cannot be read"),
        (b"", "0 bytes"),
        (b"not a sound at all", "not audio"),
        (np.zeros(0, np.float32), "no samples"),
        (np.array([0.1, np.nan], np.float32), "NaN"),
        ({"array": np.zeros((2, 2, 2)), "sampling_rate": RATE}, "shape"),
        ({"sampling_rate": RATE}, 'needs "array"'),
    ],
)
def test_bad_input_is_refused_in_a_sentence(classify, bad, says):
    with pytest.raises(ValueError, match=says):
        classify(bad)


def test_silence_is_scored(classify):
    assert sum(scores(classify(np.zeros(RATE, np.float32))).values()) == pytest.approx(1)


def test_other_transformers_models_profit_too(tmp_path):
    torch.manual_seed(0)
    config = ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=64, num_labels=4
    )
    ASTForAudioClassification(config).save_pretrained(tmp_path)
    ASTFeatureExtractor(max_length=64).save_pretrained(tmp_path)
    classify = pipeline("audio-classification", model=str(tmp_path))
    soundfile.write(tmp_path / "clip.wav", np.stack([tone(700, rate=44100)] * 2, 1), 44100)
    answer = classify(str(tmp_path / "clip.wav"), top_k=2)
    assert len(answer) == 2 and all(0 < entry["score"] < 1 for entry in answer)


def test_neither_ffmpeg_nor_torchaudio_is_used(classify, monkeypatch, tmp_path):
    monkeypatch.setattr("subprocess.Popen", lambda *a, **k: pytest.fail("a program was started"))
    monkeypatch.setitem(__import__("sys").modules, "torchaudio", None)
    soundfile.write(tmp_path / "clip.flac", tone(700, rate=16000), 16000)
    assert len(classify(str(tmp_path / "clip.flac"))) == 3


def test_the_fixture_model_is_not_trivial():
    answers = [trained_looking_model_scores(hertz) for hertz in (200, 3000)]
    assert np.abs(np.subtract(*answers)).max() > 0.01


def trained_looking_model_scores(hertz: float) -> list[float]:
    from helpers.checkpoints import tiny_config

    model = trained_looking_model(tiny_config())
    with torch.no_grad():
        return model(torch.from_numpy(tone(hertz))[None]).logits.softmax(-1)[0].tolist()


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    """A pipeline that reads three digits, with windows of one second."""
    folder = tmp_path_factory.mktemp("numbers")
    trained_looking_model(tiny_config(num_digits=3, pooling="attention", temperature=0.5)).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return pipeline("audio-classification", model=str(folder))


def test_a_model_of_numbers_answers_with_a_number(reader):
    with torch.no_grad():
        logits = reader.model(torch.from_numpy(CLIP)[None]).logits
    digits = logits.view(3, 10).softmax(-1)
    answer = reader(CLIP)
    assert answer["text"] == str(int("".join(map(str, digits.argmax(-1).tolist()))))
    assert answer["score"] == pytest.approx(float(digits.amax(-1).prod()), rel=1e-4)
    assert reader([CLIP, CLIP]) == [answer, answer]


def test_a_number_is_heard_as_a_whole_and_one_too_long_with_a_warning(reader, caplog):
    long = np.concatenate([CLIP, CLIP])  # 1.6 s
    with torch.no_grad():
        digits = reader.model(torch.from_numpy(long)[None]).logits.view(3, 10).softmax(-1)
    with caplog.at_level(logging.WARNING):
        assert reader(long)["score"] == pytest.approx(float(digits.amax(-1).prod()), rel=1e-4)
    assert "A recording of 1.6 s is longer than the numbers this model was trained on, 1.0 s" in caplog.text


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """A pipeline that was trained on speech alone, with windows of one second."""
    folder = tmp_path_factory.mktemp("speech")
    names = {0: "high", 1: "low"}
    config = tiny_config(speech_only=True, id2label=names, label2id={name: i for i, name in names.items()})
    trained_looking_model(config).save_pretrained(folder)
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(folder)
    return pipeline("audio-classification", model=str(folder))


def test_of_speech_alone_the_rest_is_not_heard(listener):
    sentence = speech("Most of the garden was planted by the former owners.", RATE)
    silence = np.zeros(3 * RATE, np.float32)
    want = pytest.approx(expected(listener.model, keep_speech(sentence, RATE)), abs=1e-5)
    assert scores(listener(sentence)) == want
    assert scores(listener(np.concatenate([silence, sentence, silence]))) == pytest.approx(
        scores(listener(sentence)), abs=0.05
    )


def test_where_nobody_speaks_it_does_not_guess(listener):
    sentence = speech("There is fresh bread on the table.", RATE)
    silence, hum = np.zeros(4 * RATE, np.float32), tone(300, 4.0)
    for nothing in (silence, hum, {"array": np.zeros(9), "sampling_rate": 44100}):
        (answer,) = listener(nothing)
        assert answer["label"] == "no speech" and 0.5 < answer["score"] <= 1
    together = listener([silence, sentence, hum, sentence[: RATE // 2]], batch_size=3)
    assert [answer[0]["label"] == "no speech" for answer in together] == [True, False, True, False]
    assert scores(together[1]) == pytest.approx(scores(listener(sentence)), abs=1e-5)
