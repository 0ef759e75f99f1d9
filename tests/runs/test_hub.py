"""What goes to the Hub, and what keeps it from going there; the Hub is a small one on this machine."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import soundfile
from helpers.fake_hub import FakeHub
from helpers.recordings import REPOSITORY, tone
from huggingface_hub import ModelCard, ModelCardData
from safetensors.torch import load_file, save_file
from transformers import pipeline

from hf_audio import cli
from hf_audio.runs import endpoint, hub
from hf_audio.runs.card import RunFacts, TaskFacts, write_model_card

TASK = TaskFacts("Tones", "A tone.", "Tones", "tones", "Made here.", "Held out.", ["Sines only."])


def card(**changes) -> str:
    facts = {
        "metrics": {"accuracy": 0.9, "f1_macro": 0.8},
        "intervals": {},
        "interval_note": "",
        "labels": ["low", "mid", "high"],
        "tables": [],
        "n_train": "27",
        "n_test": 9,
        "n_skipped": 1,
        "hyper_parameters": {"teacher": "/home/me/secret/teacher"},
        "chosen": "The last.",
        "command": "python tones.py",
        "minutes": 1.0,
        "example": "a.wav",
    }
    return write_model_card(TASK, RunFacts(**{**facts, **changes}))


def usage() -> str:
    return 'classifier = pipeline("audio-classification", model="FOLDER_OR_HUB_ID")'


@pytest.fixture
def run(checkpoint, tmp_path):
    """A folder as a run leaves it, and what else may lie there."""
    folder = tmp_path / "tones"
    shutil.copytree(checkpoint, folder)
    (folder / "README.md").write_text(f"{card()}\n{usage()}\n")
    (folder / "all_results.json").write_text('{"eval_accuracy": 0.9}')
    (folder / "predictions.csv").write_text("path,label\nlow/1.wav,low\n")
    (folder / "confusion_matrix.png").write_bytes(b"\x89PNG")
    arguments = {"data_dir": "/home/me/secret/recordings", "teacher": "/home/me/secret/teacher", "seed": 1}
    (folder / "training_args.json").write_text(json.dumps(arguments))
    bad = "/home/me/secret/low/bad.wav"
    (folder / "skipped.csv").write_text(f"path,reason\n{bad},{bad} is empty.\n")
    for other in ("checkpoint-4/model.safetensors", "runs/Nov21/events.json", "__pycache__/x.py"):
        (folder / other).parent.mkdir(exist_ok=True, parents=True)
        (folder / other).write_text("mine")
    for other in ("answers.csv", "predictions_of_mine.csv", "report.json", "findings.png", "model.onnx", "mine.py"):
        (folder / other).write_text("/home/me/secret")
    (folder / ".env.json").write_text("mine")
    (tmp_path / "outside.json").write_text("mine")
    (folder / "link.json").symlink_to(tmp_path / "outside.json")
    return folder


SENT = {
    *("README.md", "all_results.json", "config.json", "confusion_matrix.png", "model.safetensors", "predictions.csv"),
    *("backbones.py", "configuration_audio_cnn.py", "feature_extraction_audio_cnn.py", "frontends.py"),
    *("number_grammar.py", "one_class.py"),
    *("modeling_audio_cnn.py", "preprocessor_config.json", "skipped.csv", "training_args.json"),
}


@pytest.fixture
def server(monkeypatch):
    """A Hub of this machine, as whoever has its token sees it."""
    with FakeHub() as fake:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", fake.url)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", "hf_writer")
        yield fake


@pytest.fixture
def loads(monkeypatch):
    """Saves the seconds of a fresh process, where another test spends them."""
    monkeypatch.setattr(hub, "check_loads_alone", lambda staged: None)


def refusal(capsys, *arguments) -> str:
    with pytest.raises(SystemExit) as stopped:
        cli.main(["push", *map(str, arguments)])
    assert stopped.value.code == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert re.fullmatch(r"error: [^\n]+\.", told)
    return told


@pytest.mark.slow
def test_one_commit_holds_the_run_and_transformers_alone_runs_it(run, server, loads, capsys, tmp_path):
    cli.main(["push", str(run), "tones", "--private", "--message", "First", "--endpoint"])
    assert server.commits == [("someone/tones", "main", "First")]
    assert server.repositories["someone/tones"]["private"]
    sent = server.files("someone/tones")
    assert {path for path in sent if not path.startswith("hf_audio/")} == SENT | {"handler.py", "requirements.txt"}
    assert sent["model.safetensors"] == (run / "model.safetensors").read_bytes()
    assert b"me/secret" not in b"".join(sent.values())
    assert sent["skipped.csv"].decode().splitlines()[1] == "bad.wav,bad.wav is empty."
    assert json.loads(sent["training_args.json"]) == {"data_dir": "recordings", "teacher": "teacher", "seed": 1}
    assert "FOLDER_OR_HUB_ID" in (run / "README.md").read_text(), "the local card was changed"
    told = ModelCard(sent["README.md"].decode())
    assert 'model="someone/tones")' in told.text and "FOLDER_OR_HUB_ID" not in told.text
    assert isinstance(told.data, ModelCardData) and told.data.pipeline_tag == "audio-classification"
    assert {result.metric_type: result.metric_value for result in told.data.eval_results} == {
        "accuracy": 0.9,
        "f1": 0.8,
    }
    address, call = capsys.readouterr().out.strip().splitlines()
    assert address == f"{server.url}/someone/tones" and 'pipeline("audio-classification", "someone/tones")' in call
    code = """if True:
        import sys
        sys.modules["hf_audio"] = None
        import importlib.util, json, numpy, pathlib, transformers
        classify = transformers.pipeline("audio-classification", "someone/tones", trust_remote_code=True)
        clip = numpy.load("clip.npy")
        print(json.dumps(classify({"raw": clip, "sampling_rate": 8000})))

        del sys.modules["hf_audio"]  # and as an endpoint's server does, where its packages alone are installed
        sys.path = [path for path in sys.path if not (pathlib.Path(path) / "hf_audio").is_dir()]
        for name in ("scipy", "pandas", "pyarrow", "datasets", "librosa", "sklearn", "matplotlib", "fastapi", "onnx"):
            sys.modules[name] = None
        spec = importlib.util.spec_from_file_location("handler", "repository/handler.py")
        handler = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(handler)
        endpoint = handler.EndpointHandler("repository")
        assert sys.modules["hf_audio"].__file__.startswith(str(pathlib.Path("repository").resolve()))
        print(json.dumps(endpoint({"inputs": pathlib.Path("clip.wav").read_bytes(), "parameters": {"top_k": 2}})))
    """
    for path, content in sent.items():
        (tmp_path / "repository" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "repository" / path).write_bytes(content)
    soundfile.write(tmp_path / "clip.wav", tone(900, 1.0), 8000, subtype="FLOAT")
    np.save(tmp_path / "clip.npy", tone(900, 1.0))
    environment = {**os.environ, "HF_ENDPOINT": server.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    local = pipeline("audio-classification", model=str(run))({"raw": tone(900, 1.0), "sampling_rate": 8000})
    alone, at_endpoint = map(json.loads, done.stdout.splitlines())
    for told, expected in ((alone, local), (at_endpoint, local[:2])):
        for there, here in zip(told, expected, strict=True):
            assert there == {"label": here["label"], "score": pytest.approx(here["score"], abs=1e-5)}


def test_the_requirements_of_an_endpoint_are_the_packages_own():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert set(endpoint.REQUIREMENTS) <= set(project["dependencies"])
    assert endpoint.OF_SPEECH in project["optional-dependencies"]["speech"]


def test_an_endpoint_has_one_network_and_hears_speech_where_it_must(run, report, loads, server, capsys):
    assert "has a network for every fold" in refusal(capsys, report, "tones", "--endpoint")
    config = json.loads((run / "config.json").read_text())
    (run / "config.json").write_text(json.dumps({**config, "speech_only": True}))
    cli.main(["push", str(run), "tones", "--endpoint"])
    sent = server.files("someone/tones")
    assert sent["requirements.txt"].decode().splitlines() == [*endpoint.REQUIREMENTS, endpoint.OF_SPEECH]
    assert not any("__pycache__" in path for path in sent)


def test_a_dry_run_lists_the_same_files_and_asks_nobody(run, server, loads, monkeypatch, capsys):
    monkeypatch.delenv("HF_TOKEN")
    cli.main(["push", str(run), "someone/tones", "--dry_run"])
    *rows, total = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert {path for _, path in rows} == SENT
    sizes = {path: int(size.replace(",", "")) for size, path in rows}
    assert sizes["model.safetensors"] == (run / "model.safetensors").stat().st_size
    assert int(total[0].replace(",", "")) == sum(sizes.values()) and "in 16 files" in total[1]
    assert server.requests == []


def test_a_branch_and_an_organisation(run, server, loads, capsys):
    cli.main(["push", str(run), "lab/tones", "--revision", "try"])
    assert set(server.files("lab/tones", "try")) == SENT and server.files("lab/tones") == {}
    assert not server.repositories["lab/tones"]["private"]
    out = capsys.readouterr().out
    assert out.startswith(f"{server.url}/lab/tones/tree/try\n") and '"lab/tones", revision="try")' in out


@pytest.fixture
def report(run, tmp_path):
    """The folder of a cross-validation of two folds."""
    folder = tmp_path / "report"
    for fold in ("fold_1", "fold_2"):
        shutil.copytree(run, folder / fold, symlinks=True)
    for name in ("all_results.json", "predictions.csv", "training_args.json"):
        shutil.copy(run / name, folder)
    (folder / "README.md").write_text(card(checkpoint=None))
    return folder


def test_the_folds_of_a_cross_validation_lie_in_folders(report, server, loads, capsys):
    cli.main(["push", str(report), "tones"])
    sent = server.files("someone/tones")
    top = {"README.md", "all_results.json", "predictions.csv", "training_args.json"}
    assert set(sent) == top | {f"{fold}/{name}" for fold in ("fold_1", "fold_2") for name in SENT - {"README.md"}}
    assert 'model=snapshot_download("someone/tones") + "/fold_1")' in sent["README.md"].decode()
    assert 'snapshot_download("someone/tones") + "/fold_1")' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ("all_results.json", "holds no finished run: give the --output_dir of one"),
        ("README.md", "has no README.md"),
        ("model.safetensors", "has no model.safetensors"),
        ("preprocessor_config.json", "has no preprocessor_config.json"),
    ],
)
def test_a_folder_that_lacks_something_is_not_uploaded(run, server, capsys, missing, sentence):
    (run / missing).unlink()
    assert sentence in refusal(capsys, run, "tones")
    assert sentence in refusal(capsys, run, "tones", "--dry_run")
    assert server.requests == []


def test_weights_of_a_training_that_diverged_are_not_uploaded(run, server, capsys):
    weights = load_file(run / "model.safetensors")
    save_file({**weights, "classifier.bias": weights["classifier.bias"] * float("nan")}, run / "model.safetensors")
    for flags in ((), ("--dry_run",)):
        assert "holds weights that are not finite, classifier.bias for one" in refusal(capsys, run, "tones", *flags)
    assert server.requests == []


def test_a_network_that_has_learnt_nothing_is_uploaded_only_on_demand(run, server, loads, capsys):
    told = {"majority_label": "low", "eval_majority_accuracy": 0.9, "eval_accuracy": 0.9, "learnt": False}
    (run / "all_results.json").write_text(json.dumps(told))
    for flags in ((), ("--dry_run",)):
        said = refusal(capsys, run, "tones", *flags)
        assert "no better than always answering 'low'" in said and "--anyway" in said
    assert server.requests == []
    cli.main(["push", str(run), "tones", "--anyway"])
    assert server.repositories.keys() == {"someone/tones"}
    (run / "all_results.json").write_text(json.dumps(told | {"learnt": True}))
    cli.main(["push", str(run), "tones"])


def test_a_card_without_metadata_is_not_uploaded(run, server, capsys):
    (run / "README.md").write_text("# Tones\n")
    assert "`pipeline_tag: audio-classification`" in refusal(capsys, run, "tones")
    assert server.requests == []


@pytest.mark.slow
def test_code_that_needs_more_than_transformers_is_not_uploaded(report, server, capsys):
    (report / "fold_2" / "frontends.py").unlink()  # of the other fold it is there
    told = refusal(capsys, report, "tones")
    assert "does not load with transformers alone" in told and "fold_2" in told and "frontends.py" in told
    assert server.repositories == {}


def test_what_the_hub_does_not_allow_is_one_sentence(run, server, loads, monkeypatch, capsys):
    assert "'a//b' names no repository" in refusal(capsys, run, "a//b")
    assert "nobody/tones is not yours: the token's namespaces are someone, lab" in refusal(capsys, run, "nobody/tones")
    server.add("someone/public")
    assert "someone/public exists and is public" in refusal(capsys, run, "someone/public", "--private")
    server.add("lab/public")
    server.writable.remove("lab")
    for repo in ("lab/public", "lab/new"):
        assert f"{repo} was not uploaded (403): the token may not write there" in refusal(capsys, run, repo)
    monkeypatch.setenv("HF_TOKEN", "hf_reader")
    assert "hf_reader of someone may only read" in refusal(capsys, run, "tones")
    monkeypatch.setenv("HF_TOKEN", "hf_unknown")
    assert "(401): the token is not valid" in refusal(capsys, run, "tones")
    monkeypatch.setattr(hub, "get_token", lambda: None)
    assert "There is no token for the Hub: run `hf auth login`" in refusal(capsys, run, "tones")
    assert server.commits == []


def test_without_a_network_it_says_so(run, server, loads, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert "HF_HUB_OFFLINE is set" in refusal(capsys, run, "tones")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    assert "(no connection, ConnectError): try again" in refusal(capsys, run, "tones")


def test_an_upload_that_breaks_off_leaves_nothing_and_goes_on(run, server, loads, capsys):
    server.breaks_off = True
    told = refusal(capsys, run, "tones")
    assert f"`hf-audio push {run} someone/tones` goes on" in told
    assert server.commits == [] and server.files("someone/tones") == {}
    server.breaks_off = False
    cli.main(["push", str(run), "someone/tones"])
    assert set(server.files("someone/tones")) == SENT
