"""The command `hf-audio`: what each function of `hf_audio.commands` returns, on the screen.

What the user can mend ends in one sentence and exit code 2.
"""

import atexit
import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import commands
from .commands.bulk import answer_clips
from .commands.embeddings import embed_clips
from .commands.events import detect_events
from .commands.paths import check_writable
from .errors import ArgumentError, refusals_end_in_a_sentence
from .flags import HELP_FLAGS, FunctionParser, find_neighbour, read_docstring
from .training.recipes import describe_recipes, run_recipe_command

RENAMED = {"demo": "page"}
Show = Callable[..., None]

# By name: a function, and what runs it and prints what it returns.
COMMANDS: dict[str, tuple[Callable[..., Any], Show]] = {}


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line, by default that of this process.

    Raises:
        SystemExit: with 2 after a sentence on the standard error stream.
    """
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal or file cannot hold
    try:
        with refusals_end_in_a_sentence():
            _run(sys.argv[1:] if argv is None else list(argv))
    except BrokenPipeError:  # whoever read the table has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # SIGPIPE, which Windows does not have
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _run(argv: Sequence[str]) -> None:
    if not argv:
        raise ArgumentError("hf-audio needs a command: see hf-audio --help.")
    name, *words = argv
    if name in HELP_FLAGS:
        print(_overview())
        return
    if name in RENAMED:
        print(f"hf-audio {name} is now called hf-audio {RENAMED[name]}.", file=sys.stderr)
        name = RENAMED[name]
    if name == "train":
        _train(words)
        return
    if name not in COMMANDS:
        near = find_neighbour(name, ["train", *COMMANDS])
        hint = "see hf-audio --help" if near is None else f"you may mean hf-audio {near}; see hf-audio --help"
        raise ArgumentError(f"{name} is no command: {hint}.")
    function, show = COMMANDS[name]
    show(**FunctionParser(f"hf-audio {name}", function).read(words))


def _overview() -> str:
    functions = {"train": commands.train, **{name: function for name, (function, _) in COMMANDS.items()}}
    widest = max(map(len, functions))
    lines = [f"  {name:<{widest}}  {read_docstring(function)[0]}" for name, function in functions.items()]
    return "\n".join(
        [
            "usage: hf-audio COMMAND ...\n",
            "Train, judge and ship small sound classifiers.\n",
            "commands:",
            *lines,
            "\nhf-audio COMMAND --help tells of its arguments. In Python, each is a function of hf_audio.commands.",
        ]
    )


def _train(words: Sequence[str]) -> None:
    if not words:
        raise ArgumentError("hf-audio train needs a recipe, or a folder of recordings: see hf-audio train --help.")
    if words[0] in HELP_FLAGS:
        print(describe_recipes())
    else:
        run_recipe_command(words[0], words[1:])


def _shows(function: Callable[..., Any]) -> Callable[[Show], Show]:
    """Make a function a command: what is decorated takes its arguments, calls it and prints."""

    def register(show: Show) -> Show:
        COMMANDS[function.__name__.replace("_", "-")] = (function, show)
        return show

    return register


@_shows(commands.inspect)
def _inspect(*, png: str | None, **arguments: Any) -> None:
    if png is not None:
        check_writable(png, "--png", [arguments["data"]])
    inspection = commands.inspect(**arguments)
    print(inspection)
    if png is not None:  # after the report, which tells why there may be nothing to draw
        from .inspection.report import draw_report

        draw_report(inspection, Path(png))


@_shows(commands.predict)
def _predict(**arguments: Any) -> None:
    _look_for_garbage_seldom()
    n_clips, n_unreadable = answer_clips(None, **arguments)
    if n_unreadable:
        print(f"{n_unreadable} of {n_clips} clips cannot be read: see what `error` says.", file=sys.stderr)


@_shows(commands.detect)
def _detect(*, beside: str | None, **arguments: Any) -> None:
    _look_for_garbage_seldom()
    n_clips, n_unreadable = detect_events(None, beside=beside, **arguments)
    if n_unreadable:
        hint = "see what `error` says" if beside is None else "they have no file"
        print(f"{n_unreadable} of {n_clips} recordings cannot be read: {hint}.", file=sys.stderr)


@_shows(commands.embed)
def _embed(**arguments: Any) -> None:
    _look_for_garbage_seldom()
    n_clips, n_unreadable = embed_clips(None, **arguments)
    if n_unreadable:
        print(f"{n_unreadable} of {n_clips} clips cannot be read, and are left out.", file=sys.stderr)


@_shows(commands.evaluate)
def _evaluate(**arguments: Any) -> None:
    evaluation = commands.evaluate(**arguments)
    from .evaluation.report import REPORT_NAME, lines_of

    for line in lines_of(evaluation):
        print(line)
    if arguments["output"] is not None:
        print(f"\nThe report, with tables and pictures: {Path(arguments['output']) / REPORT_NAME}")


@_shows(commands.similar)
def _similar(*, output: str | None, **arguments: Any) -> None:
    neighbours = commands.similar(output=output, **arguments)
    if output is not None:
        return
    from .bulk.answers import shown_cell

    widest = max(len(shown_cell(neighbour.file)) for neighbour in neighbours)
    print(f"{'#':>4}  similarity  {'file':<{widest}}  {'start':>9}  {'end':>9}")
    for each in neighbours:
        cells = f"{shown_cell(each.file):<{widest}}  {each.start:9.2f}  {each.end:9.2f}"
        print(f"{each.rank:4}  {each.similarity:10.4f}  {cells}")


@_shows(commands.suggest)
def _suggest(*, output: str | None, **arguments: Any) -> None:
    chosen = commands.suggest(output=output, **arguments)
    if output is not None:
        print(f"{output} has {len(chosen)} windows to label.")
        return
    from .bulk.answers import shown_cell

    widest = max(len(shown_cell(each.path)) for each in chosen)
    print(f"{'#':>4}  {'path':<{widest}}  {'start':>9}  {'end':>9}  uncertainty  novelty  guess")
    for each in chosen:
        cells = f"{shown_cell(each.path):<{widest}}  {each.start:9.2f}  {each.end:9.2f}"
        print(f"{each.rank:4}  {cells}  {each.uncertainty:11.3f}  {each.novelty:7.3f}  {shown_cell(each.guess)}")


def _look_for_garbage_seldom() -> None:
    # Libraries bring objects by the hundred thousand, which stay: to look for garbage among them, again and again
    # while they are loaded and once more at the end, takes a third of the time that a short clip takes.
    gc.set_threshold(100_000, 50, 100)
    atexit.register(gc.freeze)


@_shows(commands.fit_events)
def _fit_events(**arguments: Any) -> None:
    rule = commands.fit_events(**arguments)
    thresholds = sorted(set(rule.thresholds))
    span = f"{thresholds[0]:g}" if len(thresholds) == 1 else f"{thresholds[0]:g} to {thresholds[-1]:g}"
    print(
        f"{arguments['checkpoint']} finds events from a confidence of {span} on, which end below {rule.release:.0%} of"
    )
    print(f"that; shorter ones than {rule.min_seconds:g} s are left out, and gaps of {rule.gap_seconds:g} s closed.")


@_shows(commands.stream)
def _stream(**arguments: Any) -> None:
    import torch

    torch.set_num_threads(1)  # more would spend their time in waiting for one another
    for decision in commands.stream(**arguments):
        if isinstance(decision, tuple):
            onset, offset, label, confidence = decision
            print(f"{onset:8.2f} s to {offset:8.2f} s  {label}  {confidence:.2f}", flush=True)
            continue
        answer = decision.answer
        answered = answer.get("label", answer.get("text"))
        print(f"{decision.second:8.2f} s  {answered}  {answer['score']:.2f}", flush=True)


@_shows(commands.pseudo_label)
def _pseudo_label(**arguments: Any) -> None:
    print("{} of {} clips are labelled.".format(*commands.pseudo_label(**arguments)))


@_shows(commands.ensemble)
def _ensemble(**arguments: Any) -> None:
    metrics = commands.ensemble(**arguments).metrics
    scores = {name: value for name, value in metrics.items() if name.startswith("eval_") and isinstance(value, float)}
    print(metrics["chosen"], *(f"{name} {value:.4f}" for name, value in scores.items()))


@_shows(commands.audit_labels)
def _audit_labels(**arguments: Any) -> None:
    audit = commands.audit_labels(**arguments)
    n_wrong = (audit.suggested != audit.labels).sum()
    print(f"{n_wrong} of {audit.unverified.sum()} unverified labels look wrong.")
    if audit.quality is not None:
        print(f"By the audit's own estimate, {audit.quality.tell()}.")


@_shows(commands.encoder)
def _encoder(**arguments: Any) -> None:
    folder = commands.encoder(**arguments)
    print(f"{folder} is ready: give it, or {arguments['name']} alone, as --model_name_or_path of hf-audio train.")


@_shows(commands.export)
def _export(**arguments: Any) -> None:
    export = commands.export(**arguments)
    print(
        f"{export.path}: probabilities differ by {export.largest_difference:.1e} at most from torch's, and "
        f"{export.agreement:.1%} of {export.n_clips} clips keep their first answer."
    )
    if export.accuracies is not None:
        print("Accuracy on them: {:.4f} by torch, {:.4f} by this file.".format(*export.accuracies))
    if export.footprint is not None:
        print(export.footprint.tell())


@_shows(commands.verify)
def _verify(**arguments: Any) -> None:
    holds = True
    verdicts = commands.verify(**arguments)
    print(f"{'':<24}{'clips':>6}{'difference':>12}{'bound':>10}")
    for verdict in verdicts:
        row = f"{verdict.way:<24}{verdict.n_clips:>6}{verdict.largest_difference:>12.1e}{verdict.bound:>10.1e}"
        print(row, "" if verdict.holds else "  ABOVE ITS BOUND", flush=True)
        holds = holds and verdict.holds
    if not holds:
        sys.exit(1)


@_shows(commands.serve)
def _serve(**arguments: Any) -> None:
    with _termination_unwinds():  # uvicorn raises the signal that ended it once more
        commands.serve(**arguments)


@_shows(commands.page)
def _page(**arguments: Any) -> None:
    made = commands.page(**arguments)
    if isinstance(made, Path):
        print(f"{made} is ready: python -m http.server --directory {made}, then open http://localhost:8000.")
    else:
        _show_upload(made, arguments["space"])


@_shows(commands.push)
def _push(**arguments: Any) -> None:
    _show_upload(commands.push(**arguments), arguments["repo"])


def _show_upload(uploaded: Any, repo: str) -> None:
    """An address, or what would go there."""
    if isinstance(uploaded, str):
        print(uploaded)
        return
    for file in uploaded:
        print(f"{file.bytes:>12,}  {file.path}")
    print(f"{sum(file.bytes for file in uploaded):>12,}  bytes in {len(uploaded)} files, for {repo}")


@_shows(commands.make_numbers)
def _make_numbers(**arguments: Any) -> None:
    with _termination_unwinds():
        print(commands.make_numbers(**arguments))


@_shows(commands.make_soundscapes)
def _make_soundscapes(**arguments: Any) -> None:
    with _termination_unwinds():
        print(commands.make_soundscapes(**arguments))


@contextmanager
def _termination_unwinds() -> Iterator[None]:
    """Ended by `kill` or a job's time limit, a command clears away what it has begun, as after Ctrl-C."""
    previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


if __name__ == "__main__":
    main()
