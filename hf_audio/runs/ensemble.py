"""Several finished runs of one task as one checkpoint, with weights that validation clips choose."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from transformers import AutoModelForAudioClassification

from ..data.tables.text_tables import read_table
from ..errors import ArgumentError
from ..inference.facts import Facts
from ..models import AudioCNNFeatureExtractor, AudioEnsembleConfig, AudioEnsembleForAudioClassification
from ..models.configuration_audio_cnn import NONE_OF_THESE, rejects_background
from ..models.modeling_audio_cnn import classification_loss, probabilities, to_logits
from ..models.modeling_audio_ensemble import MEMBERS, Member, mean_logits
from .answers import GROUP_NAME, answer_tables, measure_answers
from .card import METRIC_NAMES, RunFacts, TaskFacts, shown_command, write_model_card
from .comparison import MAJORITY, UNTESTED, compare_with_label
from .folder.contents import RESULTS_NAME, read_arguments, training_seconds
from .folder.finishing import discard_moved, finishing
from .network import machine, save_network
from .origins import origin_results, read_origins
from .predictions.classes import Predictions
from .predictions.columns import GROUP_COLUMN, PREDICTIONS_NAME
from .predictions.kinds import AnyPredictions, predictions_class
from .rejection import FIT_PART, PICTURE_NAME, TEST_PART, Rejection, fit_margin, margins, sparing_margin
from .scores import Scores, read_scores, write_scores
from .summary import describe_intervals, summary_of_card, tell_summary

logger = logging.getLogger(__name__)

# The exponent of every weight in the prior of the weights (Dirichlet).
EQUAL_BEFOREHAND = 5


def make_ensemble(folders: Sequence[Path], output_dir: Path) -> dict[str, Any]:
    """Leave the ensemble of some finished runs in a folder; returns what its `all_results.json` holds.

    Its probabilities are the arithmetic or geometric mean of the members', weighted. Mean and weights are those
    that suit the clips that validated every member; without such clips, the members weigh the same. Of members that
    answer "none of these", the mean gets a margin of its own, see `fit_own_margin`.

    Raises:
        ArgumentError: a folder is no finished run of an AudioCNN or of an encoder that a package brings, or they are
            of different tasks or test clips, or the output folder is taken.
    """
    if len(folders) < 2:
        raise ArgumentError("An ensemble has two members or more: give their folders.")
    discard_moved(output_dir)  # of a command that was killed
    if output_dir.exists() and any(output_dir.iterdir()):
        raise ArgumentError(f"--output_dir {output_dir} already holds files: choose a new folder.")
    networks = [_load(folder) for folder in folders]
    scores = [read_scores(folder) for folder in folders]
    results = [json.loads((folder / RESULTS_NAME).read_text(encoding="utf-8")) for folder in folders]
    _check_alike(folders, networks, scores)

    config = AudioEnsembleConfig(
        members=[network.config.to_dict() for network in networks],
        weights=[1 / len(networks)] * len(networks),
        sampling_rate=max(network.config.sampling_rate for network in networks),
        clip_seconds=max(network.config.clip_seconds for network in networks),
        speech_only=all(network.config.speech_only for network in networks),
        id2label=networks[0].config.id2label,
        label2id=networks[0].config.label2id,
        problem_type=networks[0].config.problem_type,
    )
    chosen = "All members weigh the same: no clip validated every one of them."
    common = _common([parts.get("validation") for parts in scores])
    if common:
        config.mean, config.weights = choose_mean(common, config)
        chosen = f"Mean and weights are those that {len(common[0].paths)} validation clips speak for."
    chosen += fit_own_margin(folders, scores, config)
    test = scores[0]["test"].paths
    averaged = Scores(
        test, scores[0]["test"].references, average([parts["test"].select(test) for parts in scores], config)
    )
    chosen = f"{chosen} The test clips chose nothing."
    rejection = _measure_rejection(folders, scores, averaged, config)
    return _write(folders, output_dir, config, networks, averaged, results, chosen, rejection)


def _read_groups(folder: Path, paths: Sequence[str]) -> np.ndarray | None:
    """What the test clips of a run belong together by, (clips,), where its predictions tell."""
    if not (folder / PREDICTIONS_NAME).is_file():
        return None
    rows = read_table(folder / PREDICTIONS_NAME).to_dict("records")
    groups = {row["path"]: row[GROUP_COLUMN] for row in rows if GROUP_COLUMN in row}
    return np.array([groups[path] for path in paths]) if groups.keys() >= set(paths) else None


def _load(folder: Path) -> Member:
    if not (folder / RESULTS_NAME).is_file() or not (folder / "scores.npz").is_file():
        raise ArgumentError(f"{folder} holds no finished run: give the --output_dir of one.")
    network = AutoModelForAudioClassification.from_pretrained(folder)
    if not isinstance(network, MEMBERS) or network.config.num_digits:
        raise ArgumentError(
            f"{folder} holds a {network.config.model_type} that scores no classes: ensembles are of AudioCNNs and of "
            "encoders that packages bring."
        )
    return network


def _check_alike(folders: Sequence[Path], networks: Sequence[Member], scores: Sequence[dict[str, Scores]]) -> None:
    for folder, network, parts in zip(folders, networks, scores, strict=True):
        if network.config.id2label != networks[0].config.id2label:
            raise ArgumentError(f"{folder} knows other classes than {folders[0]}: give runs of one task.")
        if set(parts["test"].paths) != set(scores[0]["test"].paths):
            raise ArgumentError(f"{folder} was tested on other clips than {folders[0]}: give runs of one split.")


def _common(parts: Sequence[Scores | None]) -> list[Scores]:
    """The clips that are in every part, in one order; none, where a part is missing."""
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return []
    paths = sorted(set.intersection(*(set(part.paths) for part in known)))
    return [part.select(paths) for part in known] if paths else []


def choose_mean(parts: Sequence[Scores], config: AudioEnsembleConfig) -> tuple[str, list[float]]:
    """The kind of mean, and the members' weights, that validation clips make the most likely.

    Few clips would prefer one member by chance: beforehand, weights are the likelier the more equal they are. A clip
    counts once, however many tags it is judged for.
    """
    labels, scores = torch.from_numpy(parts[0].references), _stack(parts)

    def surprise(free: np.ndarray, mean: str) -> float:
        loss = classification_loss(mean_logits(scores, softmax(free), mean, config), labels, config)
        return len(labels) * float(loss) - EQUAL_BEFOREHAND * log_softmax(free).sum()

    found = {mean: minimize(surprise, np.zeros(len(parts)), (mean,), method="Nelder-Mead") for mean in config.means}
    mean = min(found, key=lambda name: found[name].fun)
    return mean, softmax(found[mean].x).tolist()


def fit_own_margin(
    folders: Sequence[Path], scores: Sequence[Mapping[str, Scores]], config: AudioEnsembleConfig
) -> str:
    """Have "none of these" gain what suits the mean of the members' scores, by what fitted the members' own margins.

    That is background or validation clips that every member has held out. Where there are none, the mean keeps what
    its members' margins make of it, and a warning says so.

    Args:
        folders: of the members.
        scores: of each, by the names of the parts.
        config: whose margin is set.

    Returns:
        A sentence for the card, with a space before; nothing where no member was trained with background.
    """
    asked = [read_arguments(folder) for folder in folders]
    if not rejects_background(config) or all(arguments and not arguments.get("background") for arguments in asked):
        return ""
    validation, background = (
        _common([parts.get("validation") for parts in scores]),
        _background(FIT_PART, asked, scores),
    )
    rates = {arguments.get("false_alarms_per_hour", -1.0) for arguments in asked}
    margin = None
    if len(rates) > 1 or -1.0 in rates:
        lacking = "the members were not all fitted to the same number of false alarms"
    elif None in rates:
        lacking = "no clip validated every member"
        if validation:
            told = f"{len(validation[0].paths)} validation clips, of which it costs hardly any"
            margin = sparing_margin(_mean_logits(validation, config), validation[0].references)
    else:
        lacking = "no window of one background was held out from the training of every member"
        if background:
            rate, hours = rates.pop(), _hours(background, config)
            told = f"{hours:.2g} hours of background that every member held out, for {rate:g} false alarms per hour"
            margin = fit_margin(margins(_mean_logits(background, config)), rate, hours)
    if margin is None:
        logger.warning(
            'No margin for "%s" could be fitted to the mean, as %s: false alarms may be more or fewer than each '
            "member has alone.",
            NONE_OF_THESE,
            lacking,
        )
        return f' No margin for "{NONE_OF_THESE}" could be fitted to the mean, as {lacking}: only their own hold.'
    config.rejection_margin = margin
    return f' What "{NONE_OF_THESE}" gains in the mean is fitted to {told}.'


def _background(part: str, asked: Sequence[dict[str, Any]], scores: Sequence[Mapping[str, Scores]]) -> list[Scores]:
    """What every member said of the same windows of one background; nothing where there are none.

    part: `FIT_PART` or `TEST_PART`. asked: the arguments of the members' trainings.
    """
    places = {os.path.realpath(arguments.get("background") or "") for arguments in asked}
    return _common([parts.get(part) for parts in scores]) if len(places) == 1 else []


def _hours(background: Sequence[Scores], config: AudioEnsembleConfig) -> float:
    # Windows of one name are of one length, that of the members' clips.
    return len(background[0].paths) * config.clip_seconds / 3600


def _measure_rejection(
    folders: Sequence[Path], scores: Sequence[Mapping[str, Scores]], averaged: Scores, config: AudioEnsembleConfig
) -> Rejection | None:
    """How the ensemble tells its test clips from background that no member has learnt from, where that is known."""
    background = _background(TEST_PART, [read_arguments(folder) for folder in folders], scores)
    if not background:
        return None
    logits = to_logits(torch.from_numpy(averaged.probabilities), config).numpy()
    heard, hours = _mean_logits(background, config), _hours(background, config)
    return Rejection.measure(logits, averaged.references, heard, hours, config.rejection_margin)


def average(parts: Sequence[Scores], config: AudioEnsembleConfig) -> np.ndarray:
    """What the ensemble says of clips, given what its members say. Returns (clips, labels) probabilities."""
    return probabilities(torch.from_numpy(_mean_logits(parts, config)), config).numpy()


def _mean_logits(parts: Sequence[Scores], config: AudioEnsembleConfig) -> np.ndarray:
    return mean_logits(_stack(parts), config.weights, config.mean, config).numpy()


def _stack(parts: Sequence[Scores]) -> torch.Tensor:
    return torch.from_numpy(np.stack([part.probabilities for part in parts]))


def _describe_members(members: Sequence[dict[str, Any]], predictions: AnyPredictions) -> dict[str, Any]:
    """The entries of the members' results that hold for the ensemble, and those of its answers beside metrics."""
    first = members[0]
    results = {name: first[name] for name in ("train_samples", "skipped_samples", "labels", "task")}
    results |= {
        "eval_samples": len(predictions.paths),
        "train_runtime": sum(training_seconds(member) for member in members),
        **measure_answers(predictions, first.get(GROUP_NAME)),
    }
    if MAJORITY in first and isinstance(predictions, Predictions):
        results |= compare_with_label(predictions, first[MAJORITY])
    return results | ({UNTESTED: predictions.untested()} if predictions.untested() else {})


def _write(
    folders: Sequence[Path],
    output_dir: Path,
    config: AudioEnsembleConfig,
    networks: Sequence[Member],
    averaged: Scores,
    members: Sequence[dict[str, Any]],
    chosen: str,
    rejection: Rejection | None,
) -> dict[str, Any]:
    model = AudioEnsembleForAudioClassification(config).eval()
    for place, member in zip(model.members, networks, strict=True):
        place.load_state_dict(member.state_dict())
    names = list(Facts.from_config(config, config.sampling_rate).labels)
    predictions = predictions_class(config).from_probabilities(
        averaged.paths, names, averaged.references, averaged.probabilities
    )
    predictions.groups = _read_groups(folders[0], averaged.paths)
    metrics, intervals = predictions.metrics(), predictions.intervals()
    metrics |= {} if rejection is None else rejection.metrics()
    first = members[0]
    origins = list(dict.fromkeys(origin for member in members for origin in read_origins(member)))
    results: dict[str, Any] = {f"eval_{name}": value for name, value in metrics.items()}
    results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
    results |= _describe_members(members, predictions) | origin_results(origins)
    results |= {"mean": config.mean, "weights": config.weights, "chosen": chosen, "machine": machine()}
    task = TaskFacts(
        **{field.name: first["task"][field.name] for field in fields(TaskFacts) if field.name in first["task"]}
    )
    command = ["hf-audio", "ensemble", *map(str, folders), "--output_dir", str(output_dir)]
    output_dir.mkdir(parents=True, exist_ok=True)
    with finishing(output_dir, results) as folder:
        predictions.write(folder)
        write_scores(folder, {"test": averaged})
        pictures, tables = predictions.pictures, answer_tables(results, predictions)
        if rejection is not None:
            rejection.plot(folder / PICTURE_NAME)
            pictures, tables = [*pictures, PICTURE_NAME], [rejection.table(), *tables]
        network = save_network(model, AudioCNNFeatureExtractor(sampling_rate=config.sampling_rate), folder)
        results |= {name: getattr(network, name) for name in ("parameters", "macs", "weights_bytes")}
        card = write_model_card(
            task,
            RunFacts(
                metrics={name: value for name, value in metrics.items() if name in METRIC_NAMES},
                intervals=intervals,
                summary=summary_of_card(results),
                interval_note="The scores are the mean of what each member said of those clips. "
                + describe_intervals(GROUP_COLUMN, predictions),
                labels=names,
                tables=tables,
                n_train=str(first["train_samples"]),
                n_test=len(averaged.paths),
                n_skipped=first["skipped_samples"],
                hyper_parameters={"mean": config.mean, "weights": ", ".join(f"{w:.3f}" for w in config.weights)},
                chosen=chosen,
                command=shown_command(command),
                minutes=results["train_runtime"] / 60,
                example=Path(averaged.paths[0]).name,
                network=network,
                pictures=pictures,
                origins=origins,
            ),
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
    tell_summary(output_dir, results)
    return results
