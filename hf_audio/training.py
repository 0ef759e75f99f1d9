"""`fine_tune`: the only path from data to a finished checkpoint folder, and `run_recipe`, how a recipe starts."""

import csv
import json
import logging
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score, precision_recall_fscore_support
from transformers import EarlyStoppingCallback, EvalPrediction, set_seed
from transformers.utils.logging import disable_progress_bar

from .arguments import ArgumentError, Arguments, RecipeArguments, last_checkpoint, parse_arguments
from .audio import AudioError
from .data import ClipTransform, DataError, WindowCollator, cache_audio, class_counts, split_validation
from .metrics import Accuracy, F1Macro
from .model_card import RunFacts, TaskFacts, bootstrap_interval, count_macs, machine, write_model_card
from .models import AudioCNNConfig, AudioCNNFeatureExtractor, AudioCNNForAudioClassification
from .plots import plot_confusion_matrix, plot_curves
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)

RESULTS_NAME = "all_results.json"  # written last: a folder that has it is finished
PARTS_NAME = ".unfinished"
# What an unfinished run leaves; nothing else in an output folder may be overwritten.
UNFINISHED_NAMES = re.compile(r"training_args\.json|runs|checkpoint-\d+|tmp-checkpoint-\d+|\..*")
SHOWN_ARGUMENTS = (
    "num_train_epochs",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "learning_rate",
    "lr_scheduler_type",
    "warmup_steps",
    "weight_decay",
    "label_smoothing_factor",
    "mixup_alpha",
    "ema_decay",
    "bf16",
    "seed",
)


def run_recipe(main: Callable[[Arguments], Any], arguments_class: type[Arguments]) -> None:
    """Parse the command line and run a recipe's `main`; what the user can mend ends in a sentence and exit code 2."""
    first = os.environ.get("RANK", "0") == "0"  # of several processes, one speaks
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.INFO if first else logging.ERROR)
    for library in ("httpx", "httpx2", "datasets", "absl"):
        logging.getLogger(library).setLevel(logging.WARNING)
    disable_progress_bar()  # of single files; Trainer's own stays
    try:
        main(parse_arguments(arguments_class))
    except (ArgumentError, AudioError, DataError, ImportError, OSError) as error:
        if first:
            sentence = " ".join(str(error).split())
            if "Traceback (most recent call last)" in sentence:  # so the error of a loader worker arrives
                sentence = str(error).strip().splitlines()[-1].partition("Error: ")[2]
            print(f"\nerror: {sentence}", file=sys.stderr)  # below a progress bar that stands half drawn
        sys.exit(2)


def find_recordings(
    args: RecipeArguments, *, demo: Callable[[], Path], demo_words: str, download: Callable[[], Path] | None = None
) -> Path:
    """The folder a recipe reads: `--data_dir`, or what `--download` fetches, or a demo corpus, said aloud.

    Raises:
        ArgumentError: `--data_dir` is not a folder, or the task has nothing to download.
    """
    with args.main_process_first(desc="recordings"):
        if args.data_dir is not None:
            folder = Path(args.data_dir)
            if not folder.is_dir():
                raise ArgumentError(f"--data_dir {folder} is not a folder: give the one that holds the recordings.")
            return folder
        if args.download:
            if download is None:
                raise ArgumentError("--download: this task has no official recordings to fetch; pass --data_dir.")
            return download()
        logger.warning(
            "No --data_dir: training on a DEMO corpus, %s. Pass --data_dir or --download for real recordings.",
            demo_words,
        )
        return demo()


def fine_tune(
    args: RecipeArguments,
    config: AudioCNNConfig,
    train: Dataset,
    test: Dataset,
    task: TaskFacts,
    *,
    augmentation: Callable[..., np.ndarray] | None = None,
    group_column: str | None = None,
) -> dict[str, Any]:
    """Train a model and leave the finished folder `args.output_dir`; returns what `all_results.json` holds.

    Args:
        args: of the run.
        config: of the model; its labels are set from the data.
        train: rows of `path` and `label`, as the functions of `data.py` give them.
        test: the same; these clips are judged once, after training, and choose nothing.
        task: what the card says about the task.
        augmentation: an audiomentations transform for training clips.
        group_column: clips that share its value stay on one side of a validation split.

    Raises:
        ArgumentError: the output folder cannot be written or holds a run already.
        DataError: the data cannot be trained on.
    """
    checkpoint = _prepare_output_dir(args)
    set_seed(args.seed)
    with args.main_process_first(desc="decoding"):
        train, skipped_train = cache_audio(train, config.sampling_rate, strict=args.strict)
        test, skipped_test = cache_audio(test, config.sampling_rate, strict=args.strict)
    skipped = skipped_train + skipped_test
    for row in skipped:
        logger.warning("Left out: %s", row["reason"])
    _check_classes(train, test)
    names = train.features["label"].names
    config.id2label = dict(enumerate(names))
    config.label2id = {name: number for number, name in enumerate(names)}
    validation = None
    if args.validation_fraction > 0:
        train, validation = split_validation(train, args.validation_fraction, args.seed, group_column)

    transform = ClipTransform(
        config.sampling_rate, augmentation=augmentation, clip_samples=config.clip_samples, seed=args.seed
    )
    plain = ClipTransform(config.sampling_rate)
    # Channels last: the layout in which CPUs and GPUs convolve fastest; the weights' names and values stay.
    model = AudioCNNForAudioClassification(config).to(memory_format=torch.channels_last)
    patience = args.early_stopping_patience
    trainer = AudioTrainer(
        model,
        args,
        train_transform=transform,
        train_dataset=train.with_transform(transform),
        eval_dataset=None if validation is None else validation.with_transform(plain),
        data_collator=WindowCollator(config.clip_samples),
        processing_class=AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate),
        compute_metrics=classification_metrics,
        callbacks=[EarlyStoppingCallback(patience)] if patience else [],
    )
    trained = trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    trainer.keep_average()
    judged = trainer.predict(test.with_transform(plain), metric_key_prefix="eval")
    results: dict[str, Any] = {
        **judged.metrics,
        **trained.metrics,
        "epoch": trainer.state.epoch,
        "train_samples": len(train),
        "eval_samples": len(test),
        "seed": args.seed,
        "machine": machine(),
    }
    if trainer.is_world_process_zero():
        folder = _FinishedFolder(trainer, task, results, judged.predictions, test, skipped)
        folder.write()
        shown = {key: value for key, value in results.items() if key.startswith("eval_") and "_per_" not in key}
        logger.info("Finished in %s: %s", args.output_dir, json.dumps(shown))
    trainer.accelerator.wait_for_everyone()
    if args.push_to_hub:
        trainer.push_to_hub()
    trainer.accelerator.end_training()
    return results


def classification_metrics(prediction: EvalPrediction) -> dict[str, float]:
    """Accuracy and macro F1. predictions: (clips, classes) scores; label_ids: (clips,)."""
    predicted = np.argmax(prediction.predictions, axis=-1)
    results: dict[str, float] = {}
    for metric in (Accuracy(keep_in_memory=True), F1Macro(keep_in_memory=True)):
        results |= metric.compute(predictions=predicted, references=prediction.label_ids)
    return results


def _prepare_output_dir(args: RecipeArguments) -> Path | None:
    """Refuse a folder that is taken, else make it and note the arguments; returns the checkpoint to resume from."""
    output_dir = Path(args.output_dir)
    resume = args.resume_from_checkpoint
    checkpoint = None
    if resume is not None and str(resume).lower() != "false":
        named = str(resume).lower() in ("true", "last")
        checkpoint = last_checkpoint(output_dir) if named else Path(str(resume))
        if checkpoint is None or not (checkpoint / "trainer_state.json").is_file():
            raise ArgumentError(
                f"--resume_from_checkpoint {resume}: {checkpoint or output_dir} holds no complete checkpoint; "
                "start without the flag."
            )
    elif (output_dir / RESULTS_NAME).exists() or last_checkpoint(output_dir) is not None:
        finished = (output_dir / RESULTS_NAME).exists()
        raise ArgumentError(
            f"--output_dir {output_dir} already holds {'a finished' if finished else 'an unfinished'} run: choose "
            f"another folder{'' if finished else ', or go on with --resume_from_checkpoint last'}."
        )
    with args.main_process_first(desc="output folder"):
        try:
            output_dir.mkdir(parents=True, exist_ok=True)
            foreign = sorted(
                entry.name for entry in output_dir.iterdir() if not UNFINISHED_NAMES.fullmatch(entry.name)
            )
            if foreign and (checkpoint is None or checkpoint.parent != output_dir):
                raise ArgumentError(
                    f"--output_dir {output_dir} already holds other files, {foreign[0]} for one: choose a new folder."
                )
            if args.process_index == 0:
                # What another run would choose for its own machine and folder is left to it.
                left_out = ("resume_from_checkpoint", "use_cpu", "hub_token", "push_to_hub_token")
                saved = {name: value for name, value in args.to_dict().items() if name not in left_out}
                write_text(output_dir / "training_args.json", json.dumps(saved, indent=2) + "\n")
        except OSError as error:
            raise ArgumentError(
                f"--output_dir {output_dir} cannot be written ({error.strerror}): choose another folder."
            ) from error
    return checkpoint


def _check_classes(train: Dataset, test: Dataset) -> None:
    if train.features["label"].names != test.features["label"].names:
        raise DataError("The training and the test clips do not have the same classes: check both parts.")
    counts = class_counts(train)
    missing = [name for name, count in counts.items() if count == 0]
    if missing:
        raise DataError(
            f"No training clip of {', '.join(missing)}: add some, or leave the class out of the test clips."
        )
    single = [name for name, count in counts.items() if count == 1]
    if single:
        logger.warning("One training clip only, too few to learn from: %s. Add clips.", ", ".join(single))


def write_text(path: Path, text: str) -> None:
    """Write a whole file or none: under a temporary name first, then renamed."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


class _FinishedFolder:
    """Checkpoint, card, results and pictures of a run, written aside and moved into place at once."""

    def __init__(
        self,
        trainer: AudioTrainer,
        task: TaskFacts,
        results: dict[str, Any],
        logits: np.ndarray,
        test: Dataset,
        skipped: Sequence[Mapping[str, str]],
    ):
        self.trainer, self.task, self.results, self.test, self.skipped = trainer, task, results, test, skipped
        self.model = trainer.accelerator.unwrap_model(trainer.model)
        self.names = test.features["label"].names
        self.references = np.asarray(test["label"][:])
        self.predictions = logits.argmax(-1)
        self.scores = torch.from_numpy(logits).softmax(-1).amax(-1).numpy()

    def write(self) -> None:
        output_dir = Path(self.trainer.args.output_dir)
        parts = output_dir / PARTS_NAME
        shutil.rmtree(parts, ignore_errors=True)
        parts.mkdir()
        # As a contiguous float32 model on the CPU: how it was trained does not travel.
        model = self.model.cpu().to(memory_format=torch.contiguous_format)
        model.save_pretrained(parts)
        self.trainer.processing_class.save_pretrained(parts)
        plot_curves(self.trainer.state.log_history, parts / "training_curves.png")
        plot_confusion_matrix(self.references, self.predictions, self.names, parts / "confusion_matrix.png")
        per_class = self._per_class()
        _write_rows(parts / "per_class.csv", per_class)
        _write_rows(parts / "predictions.csv", self._rows())
        if self.skipped:
            _write_rows(parts / "skipped.csv", self.skipped)
        intervals = self._intervals()
        self.results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
        self.results["parameters"] = sum(parameter.numel() for parameter in model.parameters())
        self.results["macs"] = count_macs(model, model.config.clip_samples)
        self.results["weights_bytes"] = (parts / "model.safetensors").stat().st_size
        card = write_model_card(model.config, self.task, self._facts(per_class, intervals))
        (parts / "README.md").write_text(card, encoding="utf-8")
        for file in sorted(parts.iterdir()):
            os.replace(file, output_dir / file.name)
        parts.rmdir()
        write_text(output_dir / RESULTS_NAME, json.dumps(self.results, indent=2) + "\n")

    def _facts(self, per_class: list[dict[str, Any]], intervals: dict[str, tuple[float, float]]) -> RunFacts:
        args = self.trainer.args
        best = self.trainer.state.best_global_step if args.load_best_model_at_end else None
        weights = "the average of the weights over the steps" if args.ema_decay else "the weights"
        chosen = (
            f"These are {weights} at the end of the last epoch; the test clips chose nothing."
            if best is None
            else f"These are {weights} at step {best}, the best by {args.metric_for_best_model} on the validation "
            "split; the test clips chose nothing."
        )
        return RunFacts(
            metrics={name: self.results[f"eval_{name}"] for name in intervals},
            parameters=self.results["parameters"],
            macs=self.results["macs"],
            weights_bytes=self.results["weights_bytes"],
            intervals=intervals,
            per_class=per_class,
            n_train=self.results["train_samples"],
            n_test=self.results["eval_samples"],
            n_skipped=len(self.skipped),
            hyper_parameters={name: args.to_dict()[name] for name in SHOWN_ARGUMENTS},
            chosen=chosen,
            command=f"python {shlex.join([*map(_without_folders, sys.argv)])}",
            minutes=self.results["train_runtime"] / 60,
            example=Path(self.test["path"][0]).name,
            pictures=("confusion_matrix.png", "training_curves.png"),
        )

    def _rows(self) -> list[dict[str, Any]]:
        paths = [Path(path).absolute() for path in self.test["path"][:]]
        try:
            root = Path(os.path.commonpath([path.parent for path in paths]))
        except ValueError:  # two drives of Windows
            root = Path()
        columns = zip(paths, self.references, self.predictions, self.scores, strict=True)
        return [
            {
                "path": path.relative_to(root).as_posix(),
                "label": self.names[reference],
                "prediction": self.names[prediction],
                "score": f"{score:.4f}",
            }
            for path, reference, prediction, score in columns
        ]

    def _per_class(self) -> list[dict[str, Any]]:
        columns = precision_recall_fscore_support(
            self.references, self.predictions, labels=range(len(self.names)), zero_division=0
        )
        rows = zip(self.names, *columns, strict=True)
        return [{"label": name, "precision": p, "recall": r, "f1": f, "clips": int(n)} for name, p, r, f, n in rows]

    def _intervals(self) -> dict[str, tuple[float, float]]:
        right = self.references == self.predictions

        def f1(clips: np.ndarray) -> float:
            return f1_score(self.references[clips], self.predictions[clips], average="macro", zero_division=0)

        scores = {"accuracy": lambda clips: right[clips].mean(), "f1_macro": f1}
        return {name: bootstrap_interval(score, len(right)) for name, score in scores.items()}


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def _without_folders(argument: str) -> str:
    # A card is read elsewhere: which recipe and which data matter, not where they lay.
    flag, equals, value = argument.rpartition("=")
    return f"{flag}{equals}{Path(value).name}" if os.path.isabs(value) else argument
