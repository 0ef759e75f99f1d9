import inspect
import io
import re
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from helpers.recordings import RATE, tone

from hf_audio import cli, commands
from hf_audio.corpora import espeak
from hf_audio.corpora.freesound import TAGS
from hf_audio.corpora.synthetic_numbers import make_spoken_numbers
from hf_audio.export import site
from hf_audio.flags import FunctionParser, read_docstring
from hf_audio.training.series import label_audit


def run(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, str, str]:
    code = 0
    try:
        cli.main(argv)
    except SystemExit as end:
        code = end.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_make_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("espeakng_loader")
    out = tmp_path / "numbers"
    assert run(capsys, "make-numbers", str(out), "--language", "en-gb", "--count", "3")[:2] == (0, f"{out}\n")
    assert len(pd.read_csv(out / "train.csv")) == 3
    same = make_spoken_numbers(tmp_path / "same", language="en-gb", count=3, seed=0)
    for path in same.glob("**/*.*"):
        assert path.read_bytes() == (out / path.relative_to(same)).read_bytes()


@pytest.mark.parametrize(
    "argv, sentence",
    [
        (["--language", "tlh"], "eSpeak NG has no language 'tlh': the most similar tags are "),
        (["--count", "0"], "count must be 1 or more, not 0."),
        (["--seed", "-1"], "seed must be 0 or more, not -1."),
    ],
)
def test_wrong_argument_ends_in_a_sentence(
    argv: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("espeakng_loader")
    code, out, err = run(capsys, "make-numbers", str(tmp_path / "numbers"), *argv)
    assert (code, out) == (2, "")
    assert err.strip().startswith(f"error: {sentence}") and len(err.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_folder_that_holds_something_else_ends_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notes.txt").touch()
    code, _, err = run(capsys, "make-numbers", str(tmp_path), "--count", "1")
    assert code == 2
    assert err.strip().startswith(f"error: The demo corpus cannot be made in {tmp_path}: it holds something else")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_missing_espeak_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    espeak.map_languages.cache_clear()
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    code, _, err = run(capsys, "make-numbers", str(tmp_path / "numbers"), "--count", "1")
    assert code == 2 and "pip install 'hf-audio[demo]'" in err and "Traceback" not in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        ([], "hf-audio needs a command: see hf-audio --help."),
        (["no-such-command"], "no-such-command is no command: see hf-audio --help."),
        (["predcit"], "predcit is no command: you may mean hf-audio predict; see hf-audio --help."),
        (["make-numbers"], "the following arguments are required: OUT; see hf-audio make-numbers --help."),
        (
            ["make-numbers", "x", "--count", "many"],
            "--count: invalid int value: 'many'; see hf-audio make-numbers --help.",
        ),
        (["export", "OUT"], "the following arguments are required: --output; see hf-audio export --help."),
        (["push", "OUT"], "the following arguments are required: REPO; see hf-audio push --help."),
        (["push", "OUT", "a", "b"], "b: no such argument; see hf-audio push --help."),
    ],
)
def test_command_line_that_cannot_be_read(argv: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *argv) == (2, "", f"\nerror: {sentence}\n")


@pytest.mark.parametrize(
    ("argv", "meant"),
    [
        (["predict", "OUT", "a.wav", "--topk", "3"], "--topk: no such argument; you may mean --top_k; "),
        (["predict", "OUT", "a.wav", "--top-k=3"], "--top-k: no such argument; you may mean --top_k; "),
        (["export", "OUT", "--outputt", "a.onnx"], "--outputt: no such argument; you may mean --output; "),
        (
            ["inspect", "DIR", "--label_column_name", "x"],
            "--label_column_name: no such argument; you may mean --lab",
        ),
        (["serve", "OUT", "--max_length_seconds", "3"], "--max_length_seconds: no such argument; see hf-audio serve"),
        (["push", "OUT", "a", "--zebra"], "--zebra: no such argument; see hf-audio push --help."),
    ],
)
def test_a_mistyped_flag_names_the_one_that_is_meant(
    argv: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *argv)
    assert (code, out) == (2, "") and len(err.strip().splitlines()) == 1
    assert err.strip().startswith(f"error: {meant}")


def test_every_command_is_a_function_of_its_name_and_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    code, overview, _ = run(capsys, "--help")
    names = re.findall(r"^  ([a-z-]+)  ", overview, flags=re.MULTILINE)
    assert code == 0 and len(names) == len(cli.COMMANDS) + 1 and "train" in names
    for name in names:
        function = getattr(commands, name.replace("-", "_"))
        assert read_docstring(function)[0] in overview
        if name == "train":
            continue
        code, page, _ = run(capsys, name, "--help")
        assert code == 0
        for parameter in inspect.signature(function).parameters.values():
            flag = parameter.kind is parameter.KEYWORD_ONLY
            shown = f"--{parameter.name.rstrip('_')}" if flag else parameter.name.upper().removesuffix("S")
            assert shown in page, (name, parameter)


def test_help_loads_nothing_heavy() -> None:
    code = """if True:
        import sys
        from hf_audio import cli
        for name in ["--help", "train", *cli.COMMANDS]:
            try:
                cli.main([name] if name == "--help" else [name, "--help"])
            except SystemExit:
                pass
        heavy = {"numpy", "scipy", "torch", "pandas", "transformers", "yaml", "matplotlib"} & set(sys.modules)
        assert not heavy, heavy
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "--timeout_seconds" in done.stdout and "own_sounds" in done.stdout, done.stderr


def test_switches_are_understood_as_recipes_understand_them() -> None:
    parser = FunctionParser("hf-audio push", commands.push)
    for flags, private in (
        (["--private"], True),
        (["--private", "true"], True),
        (["--private=True"], True),
        (["--private", "false"], False),
        (["--private=false"], False),
        ([], False),
    ):
        assert parser.read(["OUT", *flags, "me/x"])["private"] is private


def test_demo_is_another_name_for_page(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(site, "make_site", lambda checkpoint, folder: folder)
    code, out, err = run(capsys, "demo", "OUT", "--output_dir", "s")
    assert (code, err) == (0, "hf-audio demo is now called hf-audio page.\n")
    assert (code, out, "") == run(capsys, "page", "OUT", "--output_dir", "s")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--help")
    commands = "inspect", "predict", "stream", "pseudo-label", "ensemble", "audit-labels", "make-numbers", "serve"
    assert code == 0 and all(command in out for command in commands)
    code, out, _ = run(capsys, "make-numbers", "--help")
    assert code == 0 and all(flag in out for flag in ("OUT", "--language", "--count", "--seed"))


def write_sounds(folder: Path, verified: str) -> Path:
    """Tables of four training clips, each marked by a character, and a test clip."""
    rows = [f"{mark}{number}.wav,{'Bark' if number % 2 else 'Gong'},{mark}" for number, mark in enumerate(verified)]
    (folder / "audio_train").mkdir(parents=True)
    (folder / "train.csv").write_text("\n".join(["fname,label,manually_verified", *rows]))
    (folder / "test_post_competition.csv").write_text("fname,label,usage\nx.wav,Bark,Public")
    return folder


def test_audit_labels_writes_the_suspicious_clips(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def audit(args, dataset, rounds, encoder):
        assert (len(dataset), rounds, encoder, args.seed) == (4, 2, None, 7)
        Path(args.output_dir).mkdir()  # for its trainings
        labels, unverified = np.array(dataset["label"]), np.array(dataset["unverified"])
        suggested = np.where(unverified, 0, labels)
        return label_audit.Audit(
            dataset["path"][:], labels, suggested, np.full(4, 0.75), np.eye(41)[suggested], unverified, TAGS, 9.0
        )

    monkeypatch.setattr(label_audit, "audit_labels", audit)
    data, table = write_sounds(tmp_path / "data", "0110"), tmp_path / "wrong.csv"
    argv = "--data_dir", str(data), "--output", str(table), "--rounds", "2", "--seed", "7"
    assert run(capsys, "audit-labels", *argv)[0] == 0
    assert table.read_text().splitlines() == [
        "fname,label,suggested_label,confidence",
        f"00.wav,Gong,{TAGS[0]},0.7500",
        f"03.wav,Bark,{TAGS[0]},0.7500",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "wrong.csv"]


@pytest.mark.parametrize(
    ("verified", "flags", "sentence"),
    [
        ("1111", [], "No training clip is unverified (column manually_verified): "),
        ("0101", ["--rounds", "0"], "--rounds 0 must be at least 1."),
        ("0101", ["--data_dir", "gone"], "gone is neither a folder nor a CSV or TSV: "),
        ("0101", ["--output", "gone/wrong.csv"], "--output gone/wrong.csv is in no folder that exists: "),
    ],
)
def test_audit_labels_refuses_in_a_sentence(
    verified: str, flags: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = ["--data_dir", str(write_sounds(tmp_path / "data", verified)), "--output", str(tmp_path / "wrong.csv")]
    code, out, err = run(capsys, "audit-labels", *argv, *flags)
    assert (code, out) == (2, "")
    assert err.strip().startswith(f"error: {sentence}") and len(err.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("argv", "option"),
    [
        (["predict", "OUT", "{}", "--output", "{}"], "--output"),
        (["predict", "OUT", "other.wav", "{}", "--output", "{}"], "--output"),
        (["detect", "OUT", "{}", "--output", "{}"], "--output"),
        (["detect", "OUT", "{}", "--output", "a.csv", "--summary", "b.csv", "{}"], "--summary"),
        (["embed", "OUT", "{}", "--output", "{}"], "--output"),
        (["pseudo-label", "OUT", "{}", "--output", "{}"], "--output"),
        (["suggest", "OUT", "archive", "--labelled", "{}", "--output", "{}"], "--output"),
        (["similar", "OUT", "a.wav", "--in", "{}", "--output", "{}"], "--output"),
        (["similar", "OUT", "a.wav", "--in", "{}", "--keep", "{}"], "--keep"),
        (["inspect", "{}", "--groups", "{}"], "--groups"),
        (["inspect", "{}", "--json", "{}"], "--json"),
        (["inspect", "{}", "--png", "{}"], "--png"),
        (["audit-labels", "--data_dir", "{}", "--output", "{}"], "--output"),
    ],
)
def test_what_is_read_is_not_replaced(
    argv: list[str], option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("labels.csv").write_text("path,label\na.wav,dog\n")
    (tmp_path / "link.csv").symlink_to("labels.csv")
    last = [place for place, word in enumerate(argv) if word == "{}"][-1]
    words = [word.format("link.csv" if place == last else "labels.csv") for place, word in enumerate(argv)]
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert f"error: {option} link.csv is what is read, and would be replaced: choose another file." in err
    assert Path("labels.csv").read_text() == "path,label\na.wav,dog\n"


def test_names_that_the_terminal_cannot_hold_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setitem(cli.COMMANDS, "predict", (commands.predict, lambda **_: print("日本.wav")))
    cli.main(["predict", "OUT", "a.wav"])
    screen.flush()
    assert screen.buffer.getvalue() == b"\\u65e5\\u672c.wav\n"


@pytest.mark.skipif(sys.platform == "win32", reason="kill ends a process there without a word")
@pytest.mark.parametrize("ending", [pytest.param(signal.SIGTERM, marks=pytest.mark.exhaustive), signal.SIGINT])
def test_ended_maker_leaves_nothing(ending: signal.Signals, tmp_path: Path) -> None:
    pytest.importorskip("espeakng_loader")
    # A stand-in for the package itself, whose import would take most of the time.
    code = """if True:
        import signal, sys, types
        # Tests that were started in the background have it ignored, and would hand that down.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        package = sys.modules["hf_audio"] = types.ModuleType("hf_audio")
        package.__path__ = [sys.argv[1]]
        from hf_audio import cli, processes
        processes.count_cores = lambda: 2
        cli.main(["make-numbers", sys.argv[2], "--count", "3000"])
    """
    argv = [sys.executable, "-c", code, str(Path(cli.__file__).parent), str(tmp_path / "numbers")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 300
    while not list(tmp_path.glob(".numbers*/train/*.wav")):
        assert time.monotonic() < end and process.poll() is None
        time.sleep(0.01)
    process.send_signal(ending)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 128 + ending and "Traceback" not in err
    assert not list(tmp_path.iterdir())


def test_stream_prints_a_running_decision(checkpoint, tmp_path, monkeypatch, capsys):
    soundfile.write(tmp_path / "a.wav", tone(300, 1.75), RATE)
    cli.main(["stream", str(checkpoint), str(tmp_path / "a.wav")])
    told = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [float(line[0]) for line in told] == [1.0, 1.25, 1.5, 1.75] and {line[2] for line in told} <= {
        "low",
        "mid",
        "high",
    }
    samples = (tone(300, 1.75) * 32767).astype("<i2").tobytes()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO(samples)))
    cli.main(["stream", str(checkpoint), "-", "--rate", "8000"])
    assert [line.split()[2] for line in capsys.readouterr().out.splitlines()] == [line[2] for line in told]


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["gone.wav"], "gone.wav cannot be read"), (["a.wav", "--rate", "8000"], "--rate is of the standard input")],
)
def test_stream_refuses_in_a_sentence(checkpoint, argv, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        cli.main(["stream", str(checkpoint), *argv])
    assert says in capsys.readouterr().err
