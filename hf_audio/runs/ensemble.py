"""Several finished runs of one task as one checkpoint, with weights that validation clips choose."""

import json
from collections.abc import Sequence
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
from ..models.modeling_audio_cnn import classification_loss, probabilities
from ..models.modeling_audio_ensemble import MEMBERS, Member, mean_logits
from .answers import GROUP_NAME, answer_tables, measure_answers
from .card import METRIC_NAMES, RunFacts, TaskFacts, shown_command, write_model_card
from .comparison import MAJORITY, UNTESTED, compare_with_label
from .folder.contents import RESULTS_NAME, training_seconds
from .folder.finishing import discard_moved, finishing
from .network import machine, save_network
from .origins import origin_results, read_origins
from .predictions.classes import Predictions
from .predictions.columns import GROUP_COLUMN, PREDICTIONS_NAME
from .predictions.kinds import AnyPredictions, predictions_class
from .scores import Scores, read_scores, write_scores
from .summary import describe_intervals, summary_of_card, tell_summary

# The exponent of every weight in the prior of the weights (Dirichlet).
EQUAL_BEFOREHAND = 5


def make_ensemble(folders: Sequence[Path], output_dir: Path) -> dict[str, Any]:
    """Leave the ensemble of some finished runs in a folder; returns what its `all_results.json` holds.

    Its probabilities are the arithmetic or geometric mean of the members', weighted. Mean and weights are those
    that suit the clips that validated every member; without such clips, the members weigh the same.

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
    test = scores[0]["test"].paths
    averaged = Scores(
        test, scores[0]["test"].references, average([parts["test"].select(test) for parts in scores], config)
    )
    command = ["hf-audio", "ensemble", *map(str, folders), "--output_dir", str(output_dir)]
    chosen = f"{chosen} The test clips chose nothing."
    groups = _read_groups(folders[0], test)
    return _write(output_dir, config, networks, averaged, results, chosen, shown_command(command), groups)


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


def average(parts: Sequence[Scores], config: AudioEnsembleConfig) -> np.ndarray:
    """What the ensemble says of clips, given what its members say. Returns (clips, labels) probabilities."""
    return probabilities(mean_logits(_stack(parts), config.weights, config.mean, config), config).numpy()


def _stack(parts: Sequence[Scores]) -> torch.Tensor:
    return torch.from_numpy(np.stack([part.probabilities for part in parts]))


def _describe_members(members: Sequence[dict[str, Any]], predictions: AnyPredictions) -> dict[str, Any]:
    """What of the members' results holds for the ensemble, and what is told of its answers beside metrics."""
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
    output_dir: Path,
    config: AudioEnsembleConfig,
    networks: Sequence[Member],
    averaged: Scores,
    members: Sequence[dict[str, Any]],
    chosen: str,
    command: str,
    groups: np.ndarray | None,
) -> dict[str, Any]:
    model = AudioEnsembleForAudioClassification(config).eval()
    for place, member in zip(model.members, networks, strict=True):
        place.load_state_dict(member.state_dict())
    names = list(Facts.from_config(config, config.sampling_rate).labels)
    predictions = predictions_class(config).from_probabilities(
        averaged.paths, names, averaged.references, averaged.probabilities
    )
    predictions.groups = groups
    metrics, intervals = predictions.metrics(), predictions.intervals()
    first = members[0]
    origins = list(dict.fromkeys(origin for member in members for origin in read_origins(member)))
    results: dict[str, Any] = {f"eval_{name}": value for name, value in metrics.items()}
    results |= {f"eval_{name}_interval": list(interval) for name, interval in intervals.items()}
    results |= _describe_members(members, predictions) | origin_results(origins)
    results |= {"mean": config.mean, "weights": config.weights, "chosen": chosen, "machine": machine()}
    task = TaskFacts(
        **{field.name: first["task"][field.name] for field in fields(TaskFacts) if field.name in first["task"]}
    )
    output_dir.mkdir(parents=True, exist_ok=True)
    with finishing(output_dir, results) as folder:
        predictions.write(folder)
        write_scores(folder, {"test": averaged})
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
                tables=answer_tables(results, predictions),
                n_train=str(first["train_samples"]),
                n_test=len(averaged.paths),
                n_skipped=first["skipped_samples"],
                hyper_parameters={"mean": config.mean, "weights": ", ".join(f"{w:.3f}" for w in config.weights)},
                chosen=chosen,
                command=command,
                minutes=results["train_runtime"] / 60,
                example=Path(averaged.paths[0]).name,
                network=network,
                pictures=predictions.pictures,
                origins=origins,
            ),
        )
        (folder / "README.md").write_text(card, encoding="utf-8")
    tell_summary(output_dir, results)
    return results
