"""The command `hf-audio`, one function a subcommand; what the user can mend ends in one sentence and exit code 2."""

import argparse
import atexit
import contextlib
import gc
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import ArgumentError, MissingExtraError, refusals_end_in_a_sentence


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command line, by default that of this process.

    Raises:
        SystemExit: with 2 after a sentence on the standard error stream.
    """
    parser = argparse.ArgumentParser(prog="hf-audio", description="Train, judge and ship small sound classifiers.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for add in (
        _add_inspect,
        _add_predict,
        _add_stream,
        _add_pseudo_label,
        _add_ensemble,
        _add_audit_labels,
        _add_export,
        _add_verify,
        _add_serve,
        _add_demo,
        _add_push,
        _add_make_numbers,
    ):
        add(commands)
    args = parser.parse_args(argv)
    try:
        with refusals_end_in_a_sentence():
            args.run(args)
    except BrokenPipeError:  # whoever read the table has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + 13)  # SIGPIPE, which Windows does not have
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _add_inspect(commands: Any) -> None:
    parser = commands.add_parser(
        "inspect",
        help="find what is wrong with recordings, before training",
        description="Read every file of a collection once and tell what would spoil training or its score: broken, "
        "silent, clipped and narrow-band files, copies and parts of one recording (in other formats, levels and rates "
        "too), also across splits and under two labels, and classes that are told by their microphone. Findings are "
        "no failure: the exit code is 0.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a folder with a folder a class, also below train/ and test/, or without classes; or a .csv or .tsv",
    )
    parser.add_argument("--audio_dir", help="where the table's files are; by default beside it")
    parser.add_argument("--path_column", help="of the table: names of files; by default one with a usual name")
    parser.add_argument(
        "--label_column", nargs="+", default=[], help="of the table: labels; by default one with a usual name, if any"
    )
    parser.add_argument("--split_column", help="of the table: splits or folds; by default one of train and test")
    parser.add_argument("--group_column", help="of the table: speakers or recordings, which no split should share")
    parser.add_argument("--json", type=Path, metavar="FILE", help="all findings and measurements, to write")
    parser.add_argument("--png", type=Path, metavar="FILE", help="classes, lengths, levels and rates, to draw")

    def run(args: argparse.Namespace) -> None:
        for option, output in (("--json", args.json), ("--png", args.png)):
            if output is not None:
                _check_folder(output, option)
        from .data.columns import Columns
        from .inspection.report import draw_report, inspect, tell, write_report

        columns = Columns(args.path_column, tuple(args.label_column), args.group_column, args.split_column)
        inspection = inspect(args.data, columns, args.audio_dir)
        if args.json is not None:
            write_report(inspection, args.json)
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")  # names that the terminal or file cannot hold
        for line in tell(inspection):
            print(line)
        if args.png is not None:
            draw_report(inspection, args.png)

    parser.set_defaults(run=run)


def _add_predict(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        help="run a checkpoint on audio files",
        description="What a checkpoint answers to each clip, with its confidence: on the screen, or with --output "
        "into a file, which a killed run goes on with (--resume). `accelerate launch -m hf_audio.cli predict ...` "
        "shares the clips out among processes.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder, a Hub id or an ONNX file")
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a file, a folder, a pattern in quotes, a table with a column `path`, or - for standard input",
    )
    parser.add_argument(
        "--output",
        type=Path,
        help=".csv, .jsonl or .parquet, or a folder for Parquet parts; of one recording, with --windows, .txt "
        "(Audacity), .selections.txt (Raven) or .TextGrid (Praat)",
    )
    parser.add_argument("--top_k", type=int, default=1, help="how many labels, best first")
    parser.add_argument("--windows", action="store_true", help="scores over time, window by window")
    parser.add_argument("--hop_seconds", type=float, help="from window to window; by default they do not overlap")
    parser.add_argument("--num_workers", type=int, help="processes that decode; by default one for two cores")
    parser.add_argument("--resume", action="store_true", help="go on with what a killed run has left, if anything")
    parser.add_argument(
        "--submission", action="store_true", help="write fname,label with three tags a clip, as Kaggle takes it"
    )

    def run(args: argparse.Namespace) -> None:
        if args.num_workers is not None and args.num_workers < 0:
            raise ArgumentError(f"--num_workers {args.num_workers} must be 0 or more.")
        if args.output is None and (args.resume or args.submission):
            raise ArgumentError("Without --output nothing is kept: add it.")
        if args.output is not None:
            _check_folder(args.output)
        if args.submission:
            _write_submission(args)
            return
        # Libraries bring objects by the hundred thousand, which stay: to look for garbage among them, again and again
        # while they are loaded and once more at the end, takes a third of the time that a short clip takes.
        gc.set_threshold(100_000, 50, 100)
        atexit.register(gc.freeze)
        from .bulk.predict import Question, predict_files  # loads torch

        question = Question(args.top_k, args.windows, args.hop_seconds)
        n_clips, n_unreadable = predict_files(
            args.checkpoint, args.paths, args.output, question, num_workers=args.num_workers, resume=args.resume
        )
        if n_unreadable:
            print(f"{n_unreadable} of {n_clips} clips cannot be read: see what `error` says.", file=sys.stderr)

    parser.set_defaults(run=run)


def _write_submission(args: argparse.Namespace) -> None:
    from .bulk.clips import find_all_clips
    from .bulk.pseudo_labels import predict_tags  # loads torch
    from .data.tables import write_rows

    if args.resume or args.windows:
        raise ArgumentError("--submission is written at once and of whole clips: leave --resume and --windows out.")
    write_rows(args.output, predict_tags(args.checkpoint, find_all_clips(args.paths)))


def _add_stream(commands: Any) -> None:
    parser = commands.add_parser(
        "stream",
        help="tell what is heard right now",
        description="A checkpoint's running decision, a line every quarter of a second; where it was trained on "
        "speech alone, while somebody speaks.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder, a Hub id or an ONNX file")
    parser.add_argument(
        "source",
        nargs="?",
        metavar="FILE",
        help="a file to play instead of the microphone, at its own speed, or - for 16-bit mono samples on the "
        "standard input",
    )
    parser.add_argument(
        "--rate", type=int, help="samples per second of the standard input; the checkpoint's if absent"
    )

    def run(args: argparse.Namespace) -> None:
        import torch

        from .inference.checkpoint import load_classifier
        from .inference.live import RunningDecision
        from .inference.sources import hear_microphone, play_file, read_samples

        torch.set_num_threads(1)  # more would spend their time in waiting for one another
        classifier = load_classifier(args.checkpoint)
        rate = classifier.sampling_rate if args.rate is None else args.rate
        if args.source == "-":
            blocks = read_samples(sys.stdin.buffer, rate)
        elif args.rate is not None:
            raise ArgumentError("--rate is of the standard input: give - as the file, or leave it out.")
        else:
            blocks = hear_microphone(rate) if args.source is None else play_file(args.source, rate)
        for decision in RunningDecision(classifier, rate).listen(blocks):
            answer = decision.answer
            print(
                f"{decision.second:8.2f} s  {answer.get('label', answer.get('text'))}  {answer['score']:.2f}",
                flush=True,
            )

    parser.set_defaults(run=run)


def _add_pseudo_label(commands: Any) -> None:
    parser = commands.add_parser(
        "pseudo-label",
        help="label clips by a checkpoint, to train on",
        description="Label what is unlabelled where a checkpoint is confident; a recipe's --pseudo_labels reads it.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder or a Hub id")
    parser.add_argument("data", type=Path, metavar="DATA", help="a folder, or a table whose labels are empty in part")
    parser.add_argument("--min_confidence", type=float, default=0.9, help="probability of the answer, 0 to 1")
    parser.add_argument("--output", type=Path, required=True, help="the CSV to write")

    def run(args: argparse.Namespace) -> None:
        from .bulk.clips import find_clips
        from .bulk.pseudo_labels import confident_labels, predict, write_answers  # loads torch

        if not 0 < args.min_confidence <= 1:
            raise ArgumentError(f"--min_confidence {args.min_confidence} must lie above 0 and not above 1.")
        _check_folder(args.output)
        clips = find_clips(args.data, unlabelled=True)
        rows = confident_labels(predict(args.checkpoint, clips, args.output.parent), args.min_confidence)
        write_answers(args.output, rows)
        print(f"{len(rows)} of {len(clips)} clips are labelled.")

    parser.set_defaults(run=run)


def _is_score(name: str, value: Any) -> bool:
    return name.startswith("eval_") and isinstance(value, float)


def _check_folder(output: Path, option: str = "--output") -> None:
    """Before the work rather than after it."""
    if not output.parent.is_dir():
        raise ArgumentError(f"{option} {output} is in no folder that exists: make it first.")


def _add_ensemble(commands: Any) -> None:
    parser = commands.add_parser(
        "ensemble",
        help="average several checkpoints into one",
        description="One checkpoint whose probabilities are the weighted mean of several ones', which have held out "
        "the same test clips. Where they have the same validation clips too, those choose the weights and the mean.",
    )
    parser.add_argument("members", nargs="+", type=Path, metavar="FOLDER", help="finished folders of recipes")
    parser.add_argument("--output_dir", type=Path, required=True, help="folder of the finished checkpoint")

    def run(args: argparse.Namespace) -> None:
        from .runs.ensemble import make_ensemble  # loads torch

        results = make_ensemble(args.members, args.output_dir)
        print(results["chosen"], *(f"{name} {value:.4f}" for name, value in results.items() if _is_score(name, value)))

    parser.set_defaults(run=run)


def _add_audit_labels(commands: Any) -> None:
    parser = commands.add_parser(
        "audit-labels",
        help="find wrong labels among the unverified ones",
        description="Train on a part of the clips and listen to the others, each in turn, and write which unverified "
        "labels look wrong, the most suspicious ones first. Killed, the same command goes on.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--data_dir", type=Path, required=True, help="a folder in the layout of FSDKaggle2018")
    parser.add_argument("--output", type=Path, required=True, help="the CSV to write")
    parser.add_argument("--rounds", type=int, default=1, help="further ones train on the labels of those before")
    parser.add_argument("--seed", type=int, default=42, help="of the folds and the trainings")

    def run(args: argparse.Namespace) -> None:
        if args.rounds < 1:
            raise ArgumentError(f"--rounds {args.rounds} must be at least 1.")
        _check_folder(args.output)
        from .corpora.freesound import load_tagged_sounds
        from .data.tables import write_rows
        from .training.label_audit import audit_labels, listener_arguments  # loads torch

        dataset, held_out = load_tagged_sounds(args.data_dir)
        trainings = args.output.with_name(f".{args.output.name}.audit")
        listener = listener_arguments(str(trainings), seed=args.seed)
        audit = audit_labels(listener, dataset.select((~held_out).nonzero()[0]), args.rounds)
        write_rows(args.output, audit.rows())
        shutil.rmtree(trainings)
        n_wrong = (audit.suggested != audit.labels).sum()
        print(f"{n_wrong} of {audit.unverified.sum()} unverified labels look wrong.")

    parser.set_defaults(run=run)


def _add_export(commands: Any) -> None:
    parser = commands.add_parser(
        "export",
        help="write a checkpoint as one ONNX file",
        description="One file, waveform in, that onnxruntime runs without torch; checked against torch before it gets "
        "its name.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder or a Hub id")
    parser.add_argument("--format", default="onnx", choices=["onnx"], help="of the file")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument(
        "--clips", type=Path, help="real clips to check it on: a folder, a table with a column `path`, or a file"
    )
    parser.add_argument(
        "--int8", action="store_true", help="quantise the convolutions to 8 bits, calibrated on --clips"
    )

    def run(args: argparse.Namespace) -> None:
        if args.int8 and args.clips is None:
            raise ArgumentError("--int8 is calibrated on real clips: give some of the training data by --clips.")
        from .bulk.clips import find_examples
        from .export.onnx import export_onnx  # loads torch

        clips, labels = (None, None) if args.clips is None else find_examples(args.clips)
        export = export_onnx(args.checkpoint, args.output, clips, labels=labels, int8=args.int8)
        print(
            f"{export.path}: probabilities differ by {export.largest_difference:.1e} at most from torch's, and "
            f"{export.agreement:.1%} of {export.n_clips} clips keep their first answer."
        )
        if export.accuracies is not None:
            print("Accuracy on them: {:.4f} by torch, {:.4f} by this file.".format(*export.accuracies))

    parser.set_defaults(run=run)


def _add_demo(commands: Any) -> None:
    parser = commands.add_parser(
        "demo",
        help="make a web page that runs a checkpoint in the browser",
        description="A folder for any static host: the exported model, and a page that runs it in the visitor's "
        "browser, by files or the microphone.",
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder or a Hub id")
    parser.add_argument(
        "--output_dir", type=Path, required=True, help="folder of the site, a new one or an earlier site"
    )

    def run(args: argparse.Namespace) -> None:
        from .export.site import make_site  # loads torch

        site = make_site(args.checkpoint, args.output_dir)
        print(f"{site} is ready: python -m http.server --directory {site}, then open http://localhost:8000.")

    parser.set_defaults(run=run)


def _add_push(commands: Any) -> None:
    parser = commands.add_parser(
        "push",
        help="upload a finished folder to the Hugging Face Hub",
        description="Card, metrics, pictures, weights and the model's code in one commit, after they were loaded "
        "where hf_audio is not installed. Checkpoints to resume from, logs and other files stay where they are.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a finished folder")
    parser.add_argument("repo", metavar="REPO", help="NAMESPACE/NAME, or NAME alone for your own namespace")
    parser.add_argument("--private", action="store_true", help="make a repository that its owner alone sees")
    parser.add_argument(
        "--dry_run", action="store_true", help="list what would be uploaded; needs no network or token"
    )
    parser.add_argument("--revision", help="the branch to upload to; by default main")
    parser.add_argument("--message", default="Upload a checkpoint with its card", help="of the commit")

    def run(args: argparse.Namespace) -> None:
        from .runs.hub import Destination, list_upload, push  # loads torch

        if not args.dry_run:
            destination = Destination(args.repo, args.private, args.revision, args.message)
            print(push(args.checkpoint, destination))
            return
        files = list_upload(args.checkpoint, args.repo)
        for file in files:
            print(f"{file.bytes:>12,}  {file.path}")
        print(f"{sum(file.bytes for file in files):>12,}  bytes in {len(files)} files, for {args.repo}")

    parser.set_defaults(run=run)


def _add_make_numbers(commands: Any) -> None:
    parser = commands.add_parser(
        "make-numbers",
        help="speak numbers by synthetic voices, as a corpus to train on",
        description="Make a corpus of spoken numbers from 0 to 999,999 in the layout of numbers2, by eSpeak NG.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the corpus, a new one")
    parser.add_argument("--language", default="ru", help="a language tag of eSpeak NG, such as ru, en-us or en-gb")
    parser.add_argument("--count", type=int, default=9000, help="training clips; either test has a tenth as many")
    parser.add_argument("--seed", type=int, default=0, help="of all draws; equal seeds give equal files")

    def run(args: argparse.Namespace) -> None:
        from .corpora.synthetic_numbers import make_spoken_numbers  # loads the audio libraries

        # Ended by `kill` or a job's time limit, it shall clear away what it has begun, as after Ctrl-C.
        previous = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        try:
            print(make_spoken_numbers(args.out, language=args.language, count=args.count, seed=args.seed))
        finally:
            signal.signal(signal.SIGTERM, previous)

    parser.set_defaults(run=run)


def _add_verify(commands: Any) -> None:
    parser = commands.add_parser(
        "verify",
        help="run a checkpoint in every way and compare the answers",
        description="The same clips through torch, the pipeline, ONNX Runtime, 8 bits, the service, streams and the "
        "page in a browser, where one is installed: the largest difference of each. Exit code 1 says that one is "
        "above its bound.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("checkpoint", metavar="CHECKPOINT", help="a finished folder or a Hub id")
    parser.add_argument(
        "clips",
        nargs="?",
        type=Path,
        metavar="CLIPS",
        help="a folder, a table with a column `path`, or a file, in the place of clips made on the spot",
    )

    def run(args: argparse.Namespace) -> None:
        from .bulk.clips import find_examples
        from .export.verification import read_clips, verify  # loads torch

        clips = None if args.clips is None else read_clips(find_examples(args.clips)[0])
        holds = True
        print(f"{'':<24}{'clips':>6}{'difference':>12}{'bound':>10}")
        for verdict in verify(args.checkpoint, clips):
            told = f"{verdict.way:<24}{verdict.n_clips:>6}{verdict.largest_difference:>12.1e}{verdict.bound:>10.1e}"
            print(told, "" if verdict.holds else "  ABOVE ITS BOUND", flush=True)
            holds = holds and verdict.holds
        if not holds:
            sys.exit(1)

    parser.set_defaults(run=run)


def _add_serve(commands: Any) -> None:
    parser = commands.add_parser(
        "serve",
        help="answer over HTTP and WebSocket",
        description="Serve checkpoints: POST an audio file to / and get its labels, as from the Hugging Face "
        "inference API; more at /openapi.json. Where HF_AUDIO_TOKEN is set, clients must bear that token.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "checkpoints",
        nargs="+",
        metavar="[NAME=]CHECKPOINT",
        help="a finished folder, a Hub id or an ONNX file, also at /models/NAME; the first one answers at /",
    )
    parser.add_argument("--host", default="127.0.0.1", help="where to listen; 0.0.0.0 lets the network in")
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument(
        "--site",
        type=Path,
        help="what hf-audio demo has written, for browsers at /; by default it is made of the first checkpoint while "
        "the server starts, unless clients need a token",
    )
    parser.add_argument("--token_file", type=Path, help="holds the token in the place of HF_AUDIO_TOKEN")
    parser.add_argument("--max_megabytes", type=float, default=32, help="of a request")
    parser.add_argument("--max_seconds", type=float, default=300, help="of a recording")
    parser.add_argument("--max_queue", type=int, default=128, help="requests that are worked on or wait for it")
    parser.add_argument("--max_streams", type=int, default=32, help="streams that are open")
    parser.add_argument(
        "--timeout_seconds", type=float, default=30, help="for a request to arrive, then for its answer"
    )

    def run(args: argparse.Namespace) -> None:
        try:
            from .export.site import make_site_beside
            from .serving.app import make_app
            from .serving.connections import Server
            from .serving.service import Limits, Service, name_checkpoints, read_token
        except ModuleNotFoundError as error:
            raise MissingExtraError(
                f"There is no {error.name} to serve with: pip install 'hf-audio[serve]'."
            ) from error

        checkpoints = name_checkpoints(args.checkpoints)
        token = read_token(args.token_file)
        limits = Limits(**{name: getattr(args, name) for name in Limits.__dataclass_fields__})
        if args.site is not None and not (args.site / "index.html").is_file():
            raise ArgumentError(f"--site {args.site} holds no index.html: write one by hf-audio demo.")
        # uvicorn raises the signal that ended it once more: what is left is cleared away nevertheless.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        with contextlib.ExitStack() as stack:
            service = Service(checkpoints, limits)
            site = args.site
            if site is None and token is None:
                site = stack.enter_context(make_site_beside(next(iter(checkpoints.values()))))
            server = Server(make_app(service, token, site), service, args.host, args.port)
            print(f"{', '.join(checkpoints)} at {server.url}", flush=True)
            server.run()

    parser.set_defaults(run=run)


if __name__ == "__main__":
    main()
