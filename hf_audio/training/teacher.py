"""A trained checkpoint as the teacher of a smaller model, refused where it was trained on clips held out here."""

import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
import torch.distributed
import torch.distributed.nn.functional
from datasets import Dataset
from torch import nn
from torch.nn import functional as F
from tqdm import tqdm
from transformers import PreTrainedConfig

from ..arguments import RecipeArguments
from ..audio.loading import load_audio
from ..audio.speech import keep_speech
from ..data.rows import BELIEVED_COLUMN, TAUGHT_COLUMN, UNLABELLED_COLUMN
from ..data.tables.text_tables import read_table
from ..errors import ArgumentError, CheckpointError, NoSpeechError
from ..inference.torch_classifier import TorchAudioClassifier
from ..models import AudioCNNConfig, AudioEnsembleConfig
from ..models.modeling_audio_cnn import by_distribution, probabilities
from ..runs.folder.contents import is_trained_on_all, read_arguments
from ..runs.heard import read_sources
from ..runs.predictions.columns import PREDICTIONS_NAME
from ..runs.scores import relative_paths
from .networks.vector_cache import VectorCache, file_key, fingerprint

logger = logging.getLogger(__name__)

# Of a loss with a teacher: what its scores weigh against the labels, and how far both models' are flattened first.
# Source: Hinton et al. 2015, https://arxiv.org/abs/1503.02531.
TEACHER_WEIGHT = 0.7
TEMPERATURE = 2.0
JUDGED_TOGETHER = 64  # clips between two writings of the cache
WINDOWS = "one behind the other"  # how long clips are judged; told to the cache, of which older entries overlapped


class Teacher(nn.Module):
    """A network that gets the same waveforms as its student; its logits are in the order of the student's labels."""

    def __init__(self, model: nn.Module, order: Sequence[int]):
        super().__init__()
        self.model = model
        self.order = list(order)
        self.eval().requires_grad_(False)

    def forward(self, **inputs: torch.Tensor) -> torch.Tensor:
        """Waveforms, and perhaps their mask, to (batch, labels)."""
        return self.model(**inputs).logits[:, self.order]


def employ_teacher(
    args: RecipeArguments, config: AudioCNNConfig, train: Dataset, held_out: Sequence[str]
) -> tuple[Dataset, Teacher | None]:
    """Load the teacher that `args.teacher` names: the training clips, and the network that runs beside the student.

    An AudioCNN of the student's rate hears the same mixed and augmented clips. Any other model judges every clip once,
    as it is; its probabilities are kept beside the decoded audio, and come back as the column `TAUGHT_COLUMN`: so
    altered copies of a clip keep the answer to the original, of which it is surest.

    Clips of `UNLABELLED_COLUMN` get what the teacher, whoever it is, answers to them as they are: its probabilities
    are believed in the place of a label, and the likeliest class is the one by which classes are balanced.

    Args:
        args: of the student's run.
        config: of the student, whose classes the teacher must know.
        train: the student's clips, with the column `path`.
        held_out: files that the student will be judged on; the teacher must have held them out too.

    Raises:
        ArgumentError: no such checkpoint, or a teacher of other classes or other training clips.
    """
    assert args.teacher is not None
    try:
        sources = [value for name in ("data_dir", "dataset_name") if (value := getattr(args, name, None))]
        judge = TorchAudioClassifier(_find_run(args.teacher, held_out, sources), device=str(args.device))
    except CheckpointError as error:
        raise ArgumentError(f"--teacher: {error}") from error
    order = _match_labels(args.teacher, judge, config)
    listens = isinstance(judge.model.config, AudioCNNConfig | AudioEnsembleConfig)
    listens = listens and judge.sampling_rate == config.sampling_rate
    unlabelled = np.zeros(len(train), dtype=bool)
    if UNLABELLED_COLUMN in train.column_names:
        unlabelled = np.asarray(train[UNLABELLED_COLUMN][:], dtype=bool)
    judged = np.flatnonzero(unlabelled) if listens else np.arange(len(train))
    scores = np.zeros((len(train), config.num_labels), dtype=np.float32)
    if len(judged):
        with args.main_process_first(desc="the teacher's scores"):
            paths = [train["path"][row] for row in judged]
            scores[judged] = judge_once(judge, paths, config.speech_only)[:, order]
    if unlabelled.any():
        train = _believe(train, unlabelled, scores)
    if listens:
        return train, Teacher(judge.model, order)
    return train.add_column(TAUGHT_COLUMN, list(scores)), None


def _believe(train: Dataset, unlabelled: np.ndarray, scores: np.ndarray) -> Dataset:
    """Clips of which the unlabelled ones, (rows,) of bool, are of the classes that scores (rows, labels) tell."""
    labels = np.asarray(train["label"][:])
    believed = np.eye(scores.shape[1], dtype=np.float32)[labels]
    if BELIEVED_COLUMN in train.column_names:
        believed = np.asarray(train[BELIEVED_COLUMN][:], dtype=np.float32)
    believed[unlabelled] = scores[unlabelled]
    labels[unlabelled] = scores[unlabelled].argmax(1)
    feature = train.features["label"]
    logger.info("Of %d clips without a label, the teacher's answers are learnt.", unlabelled.sum())
    replaced = [name for name in ("label", BELIEVED_COLUMN, UNLABELLED_COLUMN) if name in train.column_names]
    train = train.remove_columns(replaced).add_column("label", labels, feature=feature)
    return train.add_column(BELIEVED_COLUMN, list(believed))


def _find_run(teacher: str, held_out: Sequence[str], sources: Sequence[str]) -> str | Path:
    """The run that a folder is, or of a cross-validation the fold that held out the same clips; or a Hub id.

    sources: of the student's clips.
    """
    root = Path(teacher)
    if not (root.is_dir() or root.is_absolute()):
        _warn_of_heard_clips(teacher)
        return teacher
    runs = [file.parent for file in (root / PREDICTIONS_NAME, *sorted(root.glob(f"fold_*/{PREDICTIONS_NAME}")))]
    runs = [run for run in runs if (run / "config.json").is_file() and (run / PREDICTIONS_NAME).is_file()]
    if not runs:
        if not (root / "config.json").is_file():
            raise ArgumentError(
                f"--teacher {teacher} holds no finished run and no other checkpoint: give the --output_dir of a run, "
                "a folder of transformers, or a Hub id."
            )
        _warn_of_heard_clips(teacher)
        return root
    if is_trained_on_all(root):
        raise ArgumentError(
            f"--teacher {teacher} was trained on all its clips, those that are held out here among them: give a "
            "teacher that held out the same ones."
        )
    clips = set(relative_paths(held_out))
    judged = {run: set(read_table(run / PREDICTIONS_NAME)["path"]) for run in runs}
    fitting = [run for run in runs if clips <= judged[run]]
    told = [source for source in read_sources(root) if source]
    arguments = read_arguments(root)
    is_other = bool(told) and not _are_of_one_source([*told, arguments.get("audio_dir")], held_out, sources)
    if fitting and not is_other and (told or not sources):
        return fitting[0]
    # Names do not tell recordings apart, as any corpus may have a dog/1.wav; one that was moved keeps them.
    place = arguments.get("data_dir")
    has_moved = place and "://" not in place and not os.path.exists(place)
    if fitting and (not told or not sources or has_moved):
        logger.warning(
            "--teacher %s has held out clips of the same names as are held out here%s: it cannot be checked that they "
            "are the same recordings.",
            teacher,
            f", from {told[0]}" if told else "",
        )
        return fitting[0]
    unheard = sorted(clips if fitting else clips - judged[runs[0]])[0]
    if is_other:
        # No run keeps a list or fingerprints of what it was trained on, so nothing shows that these are others.
        raise ArgumentError(
            f"--teacher {teacher} was trained on other recordings, {told[0]}, and does not tell whether what is held "
            f"out here, {unheard} for one, was among them: give a teacher that held out the same ones or, if you know "
            f"that it was not, a copy of its folder without {PREDICTIONS_NAME}."
        )
    raise ArgumentError(
        f"--teacher {teacher} may have learnt clips that are held out here, {unheard} for one: give a teacher of the "
        "same task that held out the same ones."
    )


def _are_of_one_source(told: Sequence[str | None], held_out: Sequence[str], sources: Sequence[str]) -> bool:
    """Whether clips come from where a run has read its own: from the same source, or from within its folder."""
    places = {os.path.realpath(source) for source in told if source}
    if places & {os.path.realpath(source) for source in sources}:
        return True
    folders = tuple(os.path.join(place, "") for place in places)
    parents = {os.path.dirname(path) for path in held_out}
    return all(os.path.join(os.path.realpath(parent), "").startswith(folders) for parent in parents)


def _warn_of_heard_clips(teacher: str) -> None:
    logger.warning(
        "--teacher %s has no %s, so it cannot be checked that it has not heard the test clips.",
        teacher,
        PREDICTIONS_NAME,
    )


def _match_labels(teacher: str, judge: TorchAudioClassifier, config: AudioCNNConfig) -> list[int]:
    """Where, among the teacher's labels, each of the student's is."""
    facts = judge.facts
    if facts.num_digits or config.num_digits:
        if facts.num_digits != config.num_digits:
            raise ArgumentError(
                f"--teacher {teacher} reads {facts.num_digits} digits, and this task has {config.num_digits}: give a "
                "teacher of the same task."
            )
        return list(range(config.num_labels))
    wanted = [config.id2label[number] for number in range(config.num_labels)]
    if set(facts.labels) != set(wanted):
        other = sorted(set(facts.labels) ^ set(wanted))[0]
        raise ArgumentError(
            f"--teacher {teacher} knows {len(facts.labels)} classes and this task has {len(wanted)}, and {other!r} is "
            "not of both: give a teacher of the same classes."
        )
    if facts.multi_label != (config.problem_type == "multi_label_classification"):
        raise ArgumentError(
            f"--teacher {teacher} gives {'several labels' if facts.multi_label else 'one label'} a clip, unlike this "
            "task: give a teacher of the same task."
        )
    return [facts.labels.index(label) for label in wanted]


def judge_once(judge: TorchAudioClassifier, paths: Sequence[str], speech_only: bool = False) -> np.ndarray:
    """A model's probabilities of every clip, (clips, labels), computed once and kept in the cache of `datasets`.

    Kept by the model's weights and by each file's name, size and time, and written on the way: a run that is killed
    begins where it was.

    Args:
        judge: the model.
        paths: of the clips.
        speech_only: whether what is no speech is cut away before.
    """
    told = judge.model.config.to_dict()
    settings = {name: told[name] for name in sorted(told) if name not in ("_name_or_path", "transformers_version")}
    made_by = (repr(settings), judge.extractor.to_json_string(), repr(speech_only), WINDOWS)
    cache = VectorCache(f"taught-{fingerprint(judge.model, *made_by)}", len(judge.labels))
    keys = [file_key(path) for path in paths]
    missing = {key: path for key, path in zip(keys, paths, strict=True) if key not in cache}
    for start in tqdm(range(0, len(missing), JUDGED_TOGETHER), desc="The teacher's scores", disable=not missing):
        part = dict(list(missing.items())[start : start + JUDGED_TOGETHER])
        waveforms = [_load(path, judge.sampling_rate, speech_only) for path in part.values()]
        cache.add(list(part), judge.judge(waveforms))
    return cache.read(keys)


def _load(path: str, sampling_rate: int, speech_only: bool) -> np.ndarray:
    waveform = load_audio(path, sampling_rate)
    if speech_only:
        with suppress(NoSpeechError):  # found at the student's rate, by a hair
            return keep_speech(waveform, sampling_rate)
    return waveform


def flatten_scores(logits: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Probabilities of a teacher, brought nearer to each other by `TEMPERATURE`. (batch, labels), and back."""
    return probabilities(logits.float() / TEMPERATURE, config)


def distillation_loss(logits: torch.Tensor, taught: torch.Tensor, config: PreTrainedConfig) -> torch.Tensor:
    """Mean divergence of a model's flattened scores from its teacher's.

    logits, taught: (batch, labels), the latter what `flatten_scores` gives. Scaled by the squared temperature, so that
    its gradients are of the labels' size.
    """
    logits = logits.float() / TEMPERATURE
    if config.problem_type == "multi_label_classification":
        divergence = F.binary_cross_entropy_with_logits(logits, taught)  # but for a constant
    else:
        learnt, target = (by_distribution(scores, config).flatten(0, 1) for scores in (logits, taught))
        divergence = F.kl_div(learnt.log_softmax(-1), target, reduction="batchmean")
    return divergence * TEMPERATURE**2
