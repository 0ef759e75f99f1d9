"""The page, in a real browser: what it says of a sound is what Python says."""

import hashlib
import json
import shutil
import threading
import time

import numpy as np
import pytest
import soundfile
import soxr
import torch
from helpers.checkpoints import tiny_config, trained_looking_model
from helpers.containers import encode, wav
from helpers.recordings import RATE, tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hf_audio import AudioCNNFeatureExtractor, cli
from hf_audio.audio.loading import load_audio
from hf_audio.audio.windows import split_windows
from hf_audio.errors import BrowserError, CheckpointError, ExportError
from hf_audio.export.browser import Browser, find_browser, scores_in_browser, serve_folder
from hf_audio.export.golden_clips import make_golden_clips
from hf_audio.export.site import PAGE, make_site, make_site_beside
from hf_audio.inference.events import EventFinder, EventRule, find_events
from hf_audio.inference.facts import Facts
from hf_audio.inference.frames import FrameCutter, FrameJoiner, FrameWindows, frame_scores
from hf_audio.inference.torch_classifier import TorchAudioClassifier
from hf_audio.models.modeling_audio_cnn import probabilities

TITLE = "Löwe & <b>Bär</b>"
CARD = f"---\n# no title\ntags: []\n---\n\nAbove.\n# {TITLE}\n# Another\n"
# Differences of probabilities. At other rates the page's filter has soxr's band limits, not its rounding; of Opus and
# MP3, decoders begin at other samples.
SAME_RATE, OTHER_RATE = 1e-4, 5e-3
COMPRESSED = {"flac": SAME_RATE, "ogg": SAME_RATE, "opus": 0.05, "mp3": 0.05}


@pytest.fixture(scope="module")
def site(checkpoint, tmp_path_factory):
    """The page of a model of three classes at 8 kHz, in a folder of its host."""
    folder = tmp_path_factory.mktemp("carded") / "checkpoint"
    shutil.copytree(checkpoint, folder)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return make_site(folder, tmp_path_factory.mktemp("host") / "tones")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One whose microphone hears a tone."""
    if find_browser() is None:
        pytest.skip("no Chromium, Chrome or Edge is installed")
    heard = write(tmp_path_factory.mktemp("microphone") / "tone.wav", tone(2500, 20, 48000), 48000)
    flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with Browser([*flags, f"--use-file-for-fake-audio-capture={heard}"]) as opened:
        yield opened


@pytest.fixture(scope="module")
def host(site):
    with serve_folder(site.parent) as address:
        yield address


@pytest.fixture
def page(browser, host):
    """The browser at the page, whose address has a path, as on many hosts."""
    if browser.evaluate("location.href") != f"{host}tones/":
        browser.open(f"{host}tones/")
    return browser


def compute(page, module, expression):
    """The value of a JavaScript expression in which `m` is one of the page's modules."""
    return page.evaluate(f"import('./{module}.js').then(async (m) => {expression})")


def text(page, selector):
    return page.evaluate(f"document.querySelector('{selector}').innerText")


def write(path, waveform, rate=RATE, **encoding):
    soundfile.write(path, waveform, rate, **encoding)
    return path


# --- the folder ---


def test_the_site_is_whole(site):
    assert json.loads((site / "model.json").read_text(encoding="utf-8")) == {
        "title": TITLE,
        "labels": ["low", "mid", "high"],
        "sampling_rate": RATE,
        "clip_seconds": 1.0,
        "num_digits": 0,
        "multi_label": False,
        "speech_only": False,
        "overlap": 0.0,
        "frame_seconds": None,
        "event_rule": None,
    }
    for line in (PAGE / "onnxruntime-web" / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((site / "onnxruntime-web" / name).read_bytes()).hexdigest() == digest, name
    assert not list(site.rglob("*.xz"))
    assert [entry.name for entry in site.parent.iterdir()] == ["tones"]


def test_a_site_is_made_anew_and_what_lies_beside_it_stays(site, checkpoint, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("hf_audio.export.site.export_onnx", lambda _, path: shutil.copy(site / "model.onnx", path))
    again = shutil.copytree(site, tmp_path / "site")
    (again / "example.wav").write_bytes(b"clip")
    (again / "style.css").write_text("old")
    cli.main(["page", str(checkpoint), "--output_dir", str(again)])
    assert f"python -m http.server --directory {again}," in capsys.readouterr().out
    assert (again / "example.wav").read_bytes() == b"clip"
    assert (again / "style.css").read_text() == (PAGE / "style.css").read_text()
    assert json.loads((again / "model.json").read_text())["title"] == checkpoint.name  # which has no card
    assert [entry.name for entry in tmp_path.iterdir()] == ["site"]


def test_a_process_of_its_own_makes_a_site_of_an_exported_file(site, tmp_path):
    shutil.copyfile(site / "model.onnx", tmp_path / "tones.onnx")
    begin = threading.Event()
    with make_site_beside(tmp_path / "tones.onnx", begin) as beside:
        assert not list(beside.iterdir())
        begin.set()
        end = time.monotonic() + 300
        while not (beside / "index.html").is_file():
            assert time.monotonic() < end
            time.sleep(0.05)
        assert json.loads((beside / "model.json").read_text())["title"] == "tones.onnx"
        assert (beside / "model.onnx").read_bytes() == (site / "model.onnx").read_bytes()
    assert not beside.exists()
    with make_site_beside(tmp_path / "tones.onnx", threading.Event()) as beside:
        pass  # ended before it was begun
    assert not beside.exists()


def test_a_folder_that_is_no_site_is_refused_and_left_alone(checkpoint, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("mine")
    for folder, says in (
        (tmp_path / "notes.txt", "is a file: choose a new folder"),
        (tmp_path / "no" / "site", "is in no folder that exists: make it first"),
    ):
        with pytest.raises(ExportError, match=says):
            make_site(checkpoint, folder)
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        make_site(tmp_path, tmp_path / "site")
    with pytest.raises(SystemExit) as end:
        cli.main(["page", str(checkpoint), "--output_dir", str(tmp_path)])
    sentence = f"error: --output_dir {tmp_path} holds other files than a site: choose a new folder."
    assert (end.value.code, capsys.readouterr().err.strip()) == (2, sentence)
    assert [entry.name for entry in tmp_path.iterdir()] == ["notes.txt"]


# --- the answers ---


def test_scores_are_pythons(site, checkpoint, tmp_path, page):
    for name, clip in make_golden_clips(RATE, 1.0).items():
        (tmp_path / f"{name}.wav").write_bytes(clip)
    for extension in COMPRESSED:
        subtype = {"format": "OGG", "subtype": "OPUS"} if extension == "opus" else {}
        write(tmp_path / f"compressed.{extension}", tone(900, 1.7), **subtype)
    paths = sorted(tmp_path.iterdir())
    expected = TorchAudioClassifier(checkpoint).judge([load_audio(path, RATE) for path in paths])
    assert np.ptp(expected, axis=0).max() > 0.1  # the clips differ
    for path, scores in zip(paths, expected, strict=True):
        answer = page.choose(path)
        assert answer["name"] == path.name
        bound = SAME_RATE if soundfile.info(path).samplerate == RATE else OTHER_RATE
        bound = COMPRESSED.get(path.suffix[1:], bound)
        np.testing.assert_allclose(answer["scores"], scores, atol=bound, err_msg=path.name)
    whole = [path for path in paths if path.name in ("long.wav", "stereo.wav")]
    np.testing.assert_array_equal(
        scores_in_browser(site, whole), np.float32([page.choose(path)["scores"] for path in whole])
    )


def test_a_dropped_file_is_judged_and_shown(checkpoint, tmp_path, page):
    clip = write(tmp_path / "a <b>clip.wav", tone(900, 2.6))
    scores = TorchAudioClassifier(checkpoint).judge([load_audio(clip, RATE)])[0]
    page.expect_answer()
    page.evaluate(
        f"""{{
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array({list(clip.read_bytes())})], {json.dumps(clip.name)}));
        document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer: transfer, bubbles: true }}));
        }}"""
    )
    np.testing.assert_allclose(page.answer()["scores"], scores, atol=SAME_RATE)
    page.wait_for("!document.querySelector('#over-time').hidden")
    best = ["low", "mid", "high"][scores.argmax()]
    assert text(page, "#title") == TITLE and text(page, "#name") == clip.name
    assert text(page, "#best li .label") == best and text(page, "#status").startswith(f"{best}, ")
    for canvas in ("waveform", "spectrogram", "timeline"):
        colours = page.evaluate(
            f"""{{
            const canvas = document.querySelector("#{canvas}");
            const {{ data }} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            new Set(new Uint32Array(data.buffer)).size
            }}"""
        )
        assert colours > 2, canvas


def test_numbers_are_read(tmp_path, browser):
    config = tiny_config(num_digits=3)
    trained_looking_model(config).save_pretrained(tmp_path / "numbers")
    AudioCNNFeatureExtractor(sampling_rate=RATE).save_pretrained(tmp_path / "numbers")
    classifier = TorchAudioClassifier(tmp_path / "numbers")
    clip = write(tmp_path / "clip.wav", tone(900, 2.3))  # longer than a window, and heard as a whole
    scores = classifier.judge([load_audio(clip, RATE)])[0]
    with serve_folder(make_site(tmp_path / "numbers", tmp_path / "site")) as address:
        browser.open(address)
        np.testing.assert_allclose(browser.choose(clip)["scores"], scores, atol=SAME_RATE)
        number = classifier.facts.name(scores)["text"]
        assert text(browser, "#number output") == number and text(browser, "#status").startswith(f"{number}, ")
        assert browser.evaluate("document.querySelector('#over-time').hidden")
        for digits in ([0, 0, 0], [0, 0, 7], [0, 3, 0], [1, 0, 0], None):
            certain = np.full(30, 0.1, np.float32) if digits is None else np.eye(10, dtype=np.float32)[digits].ravel()
            read = compute(browser, "facts", f"m.readNumber(Float32Array.from({certain.tolist()}), 3).text")
            assert read == classifier.facts.name(certain)["text"]


@pytest.mark.parametrize("kind", [{}, {"problem_type": "multi_label_classification"}, {"num_digits": 2}], ids=str)
def test_logits_become_the_same_probabilities(page, kind):
    config = tiny_config(**kind)
    logits = torch.randn(1, config.num_labels, generator=torch.Generator().manual_seed(0)) * 30
    facts = {"multi_label": "problem_type" in kind, "num_digits": config.num_digits}
    found = compute(
        page,
        "facts",
        f"Array.from(m.probabilities(Float32Array.from({logits[0].tolist()}), {json.dumps(facts)}))",
    )
    np.testing.assert_allclose(found, probabilities(logits, config)[0], atol=1e-6)


# --- its parts, against Python's ---


def test_windows_are_pythons(page):
    cases = [[samples, window] for samples in (1, 2, 9, 10, 11, 15, 37, 100) for window in (1, 2, 9, 10)]
    ramp = "Float32Array.from({ length: samples }, (_, i) => i)"
    split = compute(
        page,
        "windows",
        f"{cases}.map(([samples, window]) => m.splitWindows({ramp}, window, 0.5).map((part) => Array.from(part)))",
    )
    assert split == [[part.tolist() for part in split_windows(np.arange(n), window, 0.5)] for n, window in cases]


@pytest.mark.parametrize(
    ("clip_seconds", "frame_seconds"), [(None, None), (0.97, None), (5.0, None), (0.97, 0.08), (5.0, 0.08)]
)
def test_windows_over_time_are_pythons(page, clip_seconds, frame_seconds):
    facts = Facts(("a", "b"), 1000, clip_seconds, multi_label=True, frame_seconds=frame_seconds)
    windows = FrameWindows.of(facts)
    sizes = {name: getattr(windows, name) for name in ("frame", "window", "hop", "margin")}
    assert compute(page, "frames", f"m.frameSizes({json.dumps(facts.to_dict())})") == sizes
    rng = np.random.default_rng(0)
    for n_samples in (1, windows.window, windows.window + 1, 5 * windows.window + 33, 150 * windows.window):
        spans = compute(page, "frames", f"m.frameSpans({n_samples}, {sizes})")
        pieces = list(FrameCutter(windows).cut([np.zeros(n_samples, np.float32)]))
        assert spans == [[start, start + len(samples)] for start, samples in pieces]
        scores = [rng.random((windows.count(end - start), 2)).round(3) for start, end in spans]
        if frame_seconds is None:
            scores = [np.repeat(each[:1], len(each), axis=0) for each in scores]
        joiner = FrameJoiner(windows)
        known = [joiner.add(start, each) for (start, _), each in zip(spans, scores, strict=True)]
        stretches = [*known, joiner.flush()]
        expected = np.concatenate([stretch.scores for stretch in stretches if stretch is not None])
        rows = [each[0].tolist() if frame_seconds is None else each.tolist() for each in scores]
        join = "joinWindows" if frame_seconds is None else "joinFrames"
        joined = compute(page, "frames", f"m.{join}({spans}, {rows}, {sizes}).map((row) => Array.from(row))")
        np.testing.assert_allclose(joined, expected, atol=1e-6)


def test_events_are_pythons(page):
    rng = np.random.default_rng(0)
    labels = ["high", "low", "None_of these"]
    for rule in (None, EventRule((0.6, 0.4, 0.1), release=0.7, min_seconds=0.2, gap_seconds=0.1)):
        scores = np.repeat(rng.random((60, 3)), rng.integers(1, 5, 60), axis=0).astype(np.float32)
        facts = {"labels": labels, "event_rule": None if rule is None else rule.to_dict()}
        found = compute(page, "events", f"m.findEvents({scores.tolist()}, 0.08, {json.dumps(facts)})")
        events = find_events(scores, 0.08, labels, rule or EventRule.usual(3))
        assert len(events) > 5 and [event["label"] for event in found] == [event.label for event in events]
        for name in ("onset", "offset", "confidence"):
            assert [event[name] for event in found] == pytest.approx([getattr(event, name) for event in events])


@pytest.mark.parametrize(
    ("gap", "labels"), [(0.0, ["high", "low", "no_speech"]), (0.7, ["a", "normal"]), (0.0, ["normal", "anomaly"])]
)
def test_events_that_come_in_parts_are_pythons(page, gap, labels):
    rng = np.random.default_rng(1)
    rule = EventRule((0.6, 0.4, 0.1)[: len(labels)], min_seconds=0.2, gap_seconds=0.3)
    scores = np.repeat(rng.random((60, len(labels))), rng.integers(1, 5, 60), axis=0).astype(np.float32)
    finder, now, parts, expected = EventFinder(labels, rule), 0.0, [], []
    for rows in np.array_split(scores, np.sort(rng.integers(0, len(scores), 20))):
        now += gap * (len(parts) % 3 == 2)
        parts.append([now, rows.tolist()])
        expected.append(finder.push(now, 0.1, rows) if len(rows) else [])
        now += 0.1 * len(rows)
    facts = {"labels": labels, "event_rule": rule.to_dict()}
    script = f"(() => {{ const finder = new m.EventFinder({json.dumps(facts)}); return [...{parts}.map("
    script += "([start, rows]) => rows.length ? finder.push(start, 0.1, rows) : []), finder.flush()]; })()"
    found = compute(page, "events", script)
    expected.append(finder.flush())
    assert sum(map(len, expected)) > 3
    for ours, pythons in zip(found, expected, strict=True):
        assert [event["label"] for event in ours] == [event.label for event in pythons]
        for name in ("onset", "offset", "confidence"):
            assert [event[name] for event in ours] == pytest.approx([getattr(event, name) for event in pythons])


def test_moments_of_a_microphone_are_those_of_its_windows(page):
    rng = np.random.default_rng(2)
    ends = np.cumsum([1.0, 0.5, 0.5, 0.8, 3.0, 0.5])  # a slow machine lets hops go by, and even a whole window
    scores = rng.random((len(ends), 2))
    script = "(() => { const w = new m.RunningWindows({ frame: 100 }, { sampling_rate: 1000 }); return "
    script += f"{ends.tolist()}.map((end, i) => w.add(end - 1, end, {scores.tolist()}[i])).map("
    found = compute(page, "frames", script + "({ start, rows }) => [start, rows.map((row) => Array.from(row))]); })()")
    starts = [0.0, 0.0, 0.5, 1.0, 1.8, 4.8]
    assert [start for start, _ in found] == pytest.approx(starts)
    assert [len(rows) for _, rows in found] == [0, 5, 5, 8, 10, 5]
    for (start, rows), end in zip(found, [0, *starts[2:], 5.3], strict=True):
        for place, row in enumerate(rows):
            moment = start + 0.1 * place + 0.05
            held = [score for last, score in zip(ends, scores, strict=True) if last - 1 < moment < last]
            assert row == pytest.approx(np.mean(held, axis=0)) and moment < end


def test_events_of_a_long_recording_are_pythons(checkpoint, tmp_path, page):
    classifier = TorchAudioClassifier(checkpoint)
    parts = [tone(hertz, seconds) for hertz, seconds in [(300, 1.5), (900, 2.0), (2500, 1.7)] * 24]
    clip = write(tmp_path / "long.wav", np.concatenate(parts))  # of more than a hundred windows
    stretches = list(frame_scores(classifier, [load_audio(clip, RATE)]))
    scores = np.concatenate([stretch.scores for stretch in stretches])
    events = find_events(scores, stretches[0].frame_seconds, classifier.labels, EventRule.usual(3))
    found = page.choose(clip, "events")["events"]
    assert len(events) > 20 and [event["label"] for event in found] == [event.label for event in events]
    assert [event["onset"] for event in found] == pytest.approx([event.onset for event in events])


def resample(page, waveform, rate, to):
    samples = np.asarray(waveform).tolist()
    return np.array(compute(page, "resample", f"Array.from(m.resample(Float32Array.from({samples}), {rate}, {to}))"))


@pytest.mark.parametrize(
    ("rate", "to"), [(8000, 22050), (22050, 8000), (44100, 16000), (48000, 22050), (44101, 16000), (8000, 8000)]
)
def test_resampling_is_soxrs(page, rate, to):
    noise = np.random.default_rng(0).standard_normal(rate // 8).astype(np.float32)
    for n_samples in (1, 7, len(noise)):
        expected = soxr.resample(noise[:n_samples], rate, to)
        found = resample(page, noise[:n_samples], rate, to)
        assert found.shape == expected.shape
    assert np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)) < 3e-3


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.sampled_from([8000, 11025, 16000, 22050, 44100, 48000, 96000, 12345]),
    to=st.sampled_from([8000, 16000, 22050, 32000]),
    pitch=st.floats(0.05, 1.5),
)
def test_what_fits_both_rates_stays_and_what_does_not_goes(page, rate, to, pitch):
    hertz = min(pitch * min(rate, to) / 2, 0.49 * rate)
    n_samples = 400 + 400 * max(1, rate // to)
    found = resample(page, np.sin(2 * np.pi * hertz * np.arange(n_samples) / rate), rate, to)
    inside = slice(len(found) // 3, 2 * len(found) // 3)  # far from where the sine begins and ends
    sine = np.sin(2 * np.pi * hertz * np.arange(len(found)) / to)
    if hertz < 0.91 * min(rate, to) / 2:
        np.testing.assert_allclose(found[inside], sine[inside], atol=2e-6)
    elif hertz > 1.0 * to / 2:
        np.testing.assert_allclose(found[inside], 0, atol=2e-6)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_wav_is_read_as_libsndfile_reads_it(site, page, subtype, container):
    sides = np.stack([tone(500, 0.02), tone(900, 0.02), tone(90, 0.02)], 1)
    clip = write(site.parent / "clip.wav", sides, 11025, subtype=subtype, format=container)
    decoded = "const { samples, rate } = await m.decodeAudio(await answer.arrayBuffer(), 'clip.wav', 8000)"
    found = compute(
        page,
        "decode",
        "{ const answer = await fetch('../clip.wav', { cache: 'no-store' }); "
        f"{decoded}; return {{ samples: Array.from(samples), rate }}; }}",
    )
    assert found["rate"] == 11025
    np.testing.assert_allclose(found["samples"], load_audio(clip, 11025), atol=1e-7)


def odd_wavs():
    """WAVs with levels, channels and sizes that need a rule, and how much of one is cut off."""
    wave, words = tone(500, 0.5, 16000), (tone(500, 0.5, 16000) * 32767).astype("<i2")
    title = b"LIST" + (4).to_bytes(4, "little") + b"INFO"
    floats = {
        "counts": wave * 20000,
        "pascals": wave * 7,
        "whole": np.round(wave * 32767),
        "shifted": np.round(wave * 32767) * 65536,
        "faint": wave * 1e-6,
        "opposed": np.stack([wave, -0.9 * wave], 1),
        "louder": np.stack([0.5 * wave, -wave], 1),
        "dead": np.stack([0 * wave + 0.25, wave], 1),
        "four": np.stack([wave, -wave, 0.2 * wave[::-1], 0 * wave], 1),
    }
    data, size = words.tobytes(), 2 * len(words)
    sizes = {
        "zero": wav(0, data),
        "streamed": wav(0xFFFFFFFF, data, after=title),
        "with header": wav(size + 44, data),
        "short": wav(size - 1, data),
        "half": wav(size // 2, data),
        "joined": wav(size, data) + wav(size, data, after=title),
        "filled up": wav(size, data, after=bytes(100)),
    }
    return {**{name: encode(samples, "WAV", "FLOAT") for name, samples in floats.items()}, **sizes}


ODD_WAVS = odd_wavs()


@pytest.mark.parametrize("name", ODD_WAVS)
def test_odd_wavs_are_heard_as_python_hears_them(site, page, name):
    clip = site.parent / "odd.wav"
    clip.write_bytes(ODD_WAVS[name])
    decoded = "const { samples, rate } = await m.decodeAudio(await answer.arrayBuffer(), 'odd.wav', 8000)"
    fetched = "const answer = await fetch('../odd.wav', { cache: 'no-store' })"
    found = compute(page, "decode", f"{{ {fetched}; {decoded}; return Array.from(samples); }}")
    np.testing.assert_allclose(found, load_audio(clip, 16000), atol=1e-6)


@pytest.mark.parametrize("extension", ["flac", "ogg", "mp3"])
@pytest.mark.parametrize("rate", [8000, 22050, 48000])
def test_compressed_files_tell_their_rate(tmp_path, page, extension, rate):
    clip = write(tmp_path / f"clip.{extension}", tone(500, 0.2, rate), rate)
    header = list(clip.read_bytes()[:200])
    for tag in ([], [73, 68, 51, 4, 0, 0, 0, 0, 1, 2, *[0] * 130] if extension == "mp3" else []):
        found = compute(page, "decode", f"m.recordedRate(new Uint8Array({tag + header}))")
        assert found == rate


def test_the_transform_is_fouriers(page):
    values = np.random.default_rng(0).standard_normal((2, 64))
    transformed = "m.transform(real, imaginary); return [real, imaginary]"
    real, imaginary = compute(
        page, "spectrogram", f"{{ const [real, imaginary] = {values.tolist()}; {transformed}; }}"
    )
    np.testing.assert_allclose(np.array(real) + 1j * np.array(imaginary), np.fft.fft(values[0] + 1j * values[1]))


# --- visitors ---


def test_what_cannot_be_judged_is_said_in_a_sentence(tmp_path, page):
    wav = write(tmp_path / "whole.wav", tone(500)).read_bytes()
    files = {
        "empty.wav": (b"", "is empty (0 bytes): record or download it again."),
        "notes.txt": (b"no sound", "is no audio that this browser can decode: convert it to WAV."),
        "cut.wav": (wav[:-100], "is cut off, its header promises more samples than it holds: copy it again."),
        "header.wav": (wav[:40] + bytes(4), "contains no samples: record it again."),
        "rate.wav": (wav[:24] + bytes([1, 0, 0, 0]) + wav[28:], "has the sampling rate 1: record it again."),
    }
    write(tmp_path / "nan.wav", np.array([0.0, np.nan, 0.0]), subtype="FLOAT")
    files["nan.wav"] = (None, "contains NaN or infinite samples: repair it or choose another file.")
    for name, (content, says) in files.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(BrowserError) as error:
            page.choose(tmp_path / name)
        assert str(error.value) == f"{name} {says}" == text(page, "#error")
    assert len(page.choose(tmp_path / "whole.wav")["scores"]) == 3  # it goes on
    assert text(page, "#error") == ""


def test_a_clip_beside_the_page_can_be_linked_to(site, host, browser):
    clip = write(site / "my clip.wav", tone(300))
    browser.open(f"{host}tones/?clip=my+clip.wav")
    browser.wait_for("document.querySelector('#best .label')")
    assert text(browser, "#name") == "my clip.wav"
    clip.unlink()
    browser.call("Page.navigate", url=f"{host}tones/?clip=gone.wav")
    browser.wait_for("document.querySelector('#error')?.textContent")
    assert text(browser, "#error") == "gone.wav is not beside this page: check the address."


def test_the_microphone_is_judged_as_it_is_heard_and_then_as_a_whole(page):
    page.expect_answer()
    page.evaluate("document.querySelector('#microphone').click()")
    assert page.answer()["name"] == "Microphone"
    assert text(page, "#microphone") == "Stop recording"
    assert text(page, "#status") == text(page, "#best .label")
    assert page.evaluate("!document.querySelector('#events').hidden") and "event" in text(page, "#events h3")
    page.evaluate("document.querySelector('#microphone').click()")
    page.wait_for("document.querySelector('#name').textContent === 'Recording'")
    assert text(page, "#microphone") == "Use the microphone"
    page.wait_for("document.querySelector('#player').duration > 0.4")


def test_a_refused_microphone_is_said_in_a_sentence(page):
    page.evaluate(
        "void (navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); })"
    )
    page.expect_answer()
    page.evaluate("document.querySelector('#microphone').click()")
    with pytest.raises(BrowserError, match="The microphone was not allowed: allow it beside the address bar"):
        page.answer()
    page.evaluate("delete navigator.mediaDevices.getUserMedia")


def test_a_page_without_its_model_says_so(site, browser, tmp_path):
    (shutil.copytree(site, tmp_path / "site") / "model.onnx").unlink()
    with serve_folder(tmp_path / "site") as address, pytest.raises(BrowserError, match=r"model\.onnx is not beside"):
        browser.open(address)


def test_nothing_is_asked_of_another_host(host, tmp_path, browser):
    browser.events.clear()
    browser.open(f"{host}tones/")
    browser.choose(write(tmp_path / "clip.ogg", tone(500)))
    asked = [e["params"]["request"]["url"] for e in browser.events if e.get("method") == "Network.requestWillBeSent"]
    assert len(asked) > 5
    assert {url.split(":")[0] for url in asked if not url.startswith(host)} <= {"blob", "data"}
    complaints = [
        e["params"] for e in browser.events if e.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
    ]
    assert complaints == []


def test_the_browser_looks_up_no_name(host, browser):
    """Of itself, Chromium asks its maker's servers at every start."""
    told = browser.call("Page.navigate", url=host.replace("127.0.0.1", "localhost"))
    assert told["errorText"] == "net::ERR_NAME_NOT_RESOLVED"


def test_it_fits_a_narrow_screen(tmp_path, page):
    page.call("Emulation.setDeviceMetricsOverride", width=360, height=700, deviceScaleFactor=1, mobile=True)
    page.choose(write(tmp_path / f"{'a_very_long_name' * 9}.wav", tone(500)))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    page.call("Emulation.clearDeviceMetricsOverride")


def test_everything_has_a_name_for_screen_readers(tmp_path, page):
    page.choose(write(tmp_path / "clip.wav", tone(500)))
    page.wait_for("!document.querySelector('#over-time').hidden")
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in page.call("Accessibility.getFullAXTree")["nodes"]
        if not node["ignored"]
    ]
    named = {role: [name for other, name in nodes if other == role] for role, _ in nodes}
    assert {"Choose a file", "Use the microphone"} <= set(named["button"])
    assert {name.split()[0] for name in named["image"]} == {"Waveform:", "Spectrogram:", "Probabilities"}
    assert all(named["button"] + named["image"] + named["list"] + named["article"])
    assert {"status", "alert"} <= {role for role, _ in nodes}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_have_contrast(page, scheme):
    page.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
    names = ("paper", "card", "ink", "muted", "alarm", "accent", "on-accent", "frame")
    colours = page.evaluate(
        f"{list(names)}.map((name) => getComputedStyle(document.body).getPropertyValue(`--${{name}}`).trim())"
    )
    page.call("Emulation.setEmulatedMedia", features=[])

    def luminance(colour):  # WCAG 2.2
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return linear @ [0.2126, 0.7152, 0.0722]

    shade = {name: luminance(colour) + 0.05 for name, colour in zip(names, colours, strict=True)}
    texts = [(ink, back) for ink in ("ink", "muted", "alarm", "accent") for back in ("paper", "card")]
    for ink, back, least in [*((a, b, 4.5) for a, b in texts), ("on-accent", "accent", 4.5), ("frame", "paper", 3)]:
        assert max(shade[ink] / shade[back], shade[back] / shade[ink]) >= least, (ink, back)
