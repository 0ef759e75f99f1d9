"""What a training needs, made of its arguments and its task: clips, transforms, a network and a trainer."""

import copy
import functools
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets import Dataset
from torch import nn
from transformers import PreTrainedModel, SequenceFeatureExtractor, set_seed

from ..arguments import ERROR_RATES, RecipeArguments
from ..augmentation.amortized import Amortized, Occasional
from ..augmentation.quick_transforms import quicken
from ..data.cache import check_lengths
from ..data.shards import Split
from ..errors import ArgumentError
from ..inference.extractors import padding_arguments
from ..inference.kaldi_features import kaldi_features
from ..models import AudioCNNConfig
from ..runs.folder.sameness import check_same_network
from ..runs.predictions.kinds import predictions_class
from .batching.batches import ClipTransform, WindowCollator
from .batching.shard_loader import ClipStream
from .heads.head import HeadTrainer, fits_head
from .heads.one_class import OneClassTrainer
from .judgement.judging import compute_metrics
from .networks.encoder_fit import report_fit
from .networks.encoders import build_model, is_encoder, load_extractor
from .networks.network_parts import freeze, weight_heights
from .optimization.memory import keep_freed_memory
from .parts import Parts, divide
from .task import Augmentation, Task
from .teacher import employ_teacher
from .trainer import AudioTrainer

logger = logging.getLogger(__name__)

AUGMENTED_NAME = ".augmented"
SKIPPED_NAME = ".skipped-{}.jsonl"  # rows of a stream, noted by a process while it is trained on


@dataclass
class TrainingSetup:
    """All that a training needs."""

    args: RecipeArguments
    config: AudioCNNConfig
    """The task's, with the classes of the data."""
    parts: Parts
    model: PreTrainedModel
    trained_clips: Dataset | ClipStream
    plain: ClipTransform
    """Makes inputs of clips as they are."""
    make_collator: Callable[..., WindowCollator]
    """Given the samples of a window, or `None` where clips stay whole."""
    make_model: Callable[[], PreTrainedModel]
    """A network as `model` was before any training."""
    make_trainer: Callable[..., AudioTrainer]
    """Given a network, or `None` and `model_init`, and arguments."""


def divide_task(args: RecipeArguments, task: Task) -> tuple[AudioCNNConfig, SequenceFeatureExtractor, Parts]:
    """The task's clips, decoded and divided, with the config and the feature extractor of the network.

    Raises:
        ArgumentError: an argument does not go with such data.
        DataError: the data cannot be trained on.
    """
    config = copy.deepcopy(task.config)  # which learns the classes, and is another one in each fold
    extractor = load_extractor(find_weights(args, task), config)
    parts = divide(args, config, task)
    if isinstance(parts.train, Dataset):
        report_fit(find_weights(args, task), task.config.sampling_rate, parts.train)
    return config, extractor, parts


def set_up(args: RecipeArguments, task: Task, checkpoint: Path | None = None) -> TrainingSetup:
    """Make all that a training needs, in the order in which random numbers are drawn.

    Args:
        args: of the training; what the best epoch is chosen by is filled in.
        task: that is trained.
        checkpoint: of an interrupted training, which is gone on with.

    Raises:
        ArgumentError: an argument does not go with such data or such a network.
        DataError: the data cannot be trained on.
    """
    set_seed(args.seed)
    keep_freed_memory()
    config, extractor, parts = divide_task(args, task)
    _describe_classes(args, config, parts)
    window = _choose_window(args, config, parts, task.crop_seconds)
    teacher = _find_teacher(args, config, extractor, parts)
    if checkpoint is None:
        with args.main_process_first(desc="working files"):
            clear_working_files(args)  # of a run that was killed, and perhaps had another seed
    n_tags = parts.n_tags
    transform = ClipTransform(
        config.sampling_rate,
        augmentation=task.augmentation,
        amortized=_amortize(args, task.slow_augmentation, task.stream),
        clip_samples=window,
        background=None if parts.background is None else config.num_labels - 1,
        n_tags=n_tags,
        unverified_weight=args.unverified_weight,
        seed=args.seed,
    )
    plain = ClipTransform(config.sampling_rate, n_tags=n_tags)
    make_model = functools.partial(build_model, config, find_weights(args, task), extractor, args.freeze)
    model = make_model()
    if checkpoint is not None:
        check_same_network(model.config, checkpoint)
    _check_checkpointing(args, model)
    frozen = freeze(model, args.freeze)
    if args.layer_decay < 1:
        weight_heights(model)  # which refuses what has no layers, before any time is spent
    make_collator, features = _collate(args, config, extractor)
    if getattr(model.config, "frame_seconds", None) is not None:
        make_collator = functools.partial(make_collator, frames=model.config)
    collator = make_collator(None if window is None else config.clip_samples)
    trained_clips = _find_trained_clips(args, config, parts, (transform, collator))
    kind: type[AudioTrainer] | functools.partial[HeadTrainer] = AudioTrainer
    if fits_head(args):
        groups = task.validation_group_column or task.group_column
        fitting = OneClassTrainer if config.normal_centers else HeadTrainer
        kind = functools.partial(fitting, group_column=groups, n_tags=n_tags)
    make_trainer = functools.partial(
        kind,
        train_transform=transform,
        teacher=teacher,
        features=features,
        frozen=frozen,
        train_dataset=trained_clips,
        eval_dataset=None if parts.validation is None else parts.validation.with_transform(plain),
        data_collator=collator,
        processing_class=extractor,
        compute_metrics=functools.partial(compute_metrics, config=config),
    )

    def make_trial_model() -> PreTrainedModel:
        begun = make_model()
        freeze(begun, args.freeze)
        return begun

    return TrainingSetup(
        args, config, parts, model, trained_clips, plain, make_collator, make_trial_model, make_trainer
    )


def clear_working_files(args: RecipeArguments) -> None:
    """Delete what a training keeps in its folder for itself, by one process of each machine."""
    if args.local_process_index == 0:
        folder = Path(args.output_dir)
        shutil.rmtree(folder / AUGMENTED_NAME, ignore_errors=True)
        for file in folder.glob(SKIPPED_NAME.format("*")):
            file.unlink(missing_ok=True)


def count_trained(trained_clips: Dataset | ClipStream) -> int:
    """How many of the clips that were trained on could be read."""
    if isinstance(trained_clips, Dataset):
        return len(trained_clips)
    return trained_clips.split.rows - len(trained_clips.read_skipped())


def find_weights(args: RecipeArguments, task: Task) -> str | None:
    """Folder or Hub id of the weights to begin with; `None`: random ones."""
    if args.model_name_or_path is not None:
        return args.model_name_or_path
    if task.begins_with is None and (args.freeze in ("encoder", "front") or args.layer_decay < 1):
        raise ArgumentError("--freeze and --layer_decay are of weights to begin with: give --model_name_or_path too.")
    return task.begins_with


def _check_checkpointing(args: RecipeArguments, model: PreTrainedModel) -> None:
    """Refuse to save memory by computing activations twice, where a network has no such way."""
    asked = args.gradient_checkpointing or getattr(args, "activation_checkpointing", False)
    if asked and not getattr(model, "supports_gradient_checkpointing", False):
        raise ArgumentError(
            f"--gradient_checkpointing is not for a {model.config.model_type}, which is small: leave it out."
        )


def _describe_classes(args: RecipeArguments, config: AudioCNNConfig, parts: Parts) -> None:
    """Put the classes into the config, and into the arguments what the best epoch is chosen by."""
    if parts.names is not None:
        config.id2label = dict(enumerate(parts.names))
        config.label2id = {name: number for number, name in enumerate(parts.names)}
    if parts.n_tags is not None:
        config.problem_type = "multi_label_classification"
    if args.load_best_model_at_end or args.search:
        args.metric_for_best_model = _choosing_metric(args, config)


def _choosing_metric(args: RecipeArguments, config: AudioCNNConfig) -> str:
    """The metric that the user or the recipe wants to choose the epoch by, or the task's first, where that is none."""
    wanted = str(args.metric_for_best_model).removeprefix("eval_")
    known = predictions_class(config).metric_names(config.num_labels)
    if wanted in ("loss", *known):
        return wanted
    logger.warning("--metric_for_best_model %s does not exist for such clips: %s chooses the epoch.", wanted, known[0])
    args.greater_is_better = known[0] not in ERROR_RATES
    return known[0]


def _choose_window(
    args: RecipeArguments, config: AudioCNNConfig, parts: Parts, crop_seconds: tuple[float, float] | None
) -> int | tuple[int, int] | None:
    """Samples of a training clip, or the least and the most of them; `None` where clips stay whole."""
    if config.num_digits:  # half a number is another number
        for clips in (parts.clips, parts.validation, *parts.tests.values()):
            if clips is not None:
                check_lengths(clips, config.sampling_rate, config.clip_seconds)
        if args.tta:
            raise ArgumentError("--tta judges parts of clips, and a part of a number is another one: leave it out.")
        return None
    if crop_seconds is None:
        return config.clip_samples
    shortest, longest = (round(seconds * config.sampling_rate) for seconds in crop_seconds)
    return shortest, longest


def _find_teacher(
    args: RecipeArguments, config: AudioCNNConfig, extractor: SequenceFeatureExtractor, parts: Parts
) -> nn.Module | None:
    """The teacher that runs beside the student; the scores of any other one are added to the training clips."""
    if args.teacher is None:
        return None
    if is_encoder(extractor):
        raise ArgumentError("--teacher teaches an AudioCNN, not an encoder of transformers: leave it out.")
    parts.train, teacher = employ_teacher(args, config, parts.clips, parts.test["path"][:])
    return teacher


def _amortize(
    args: RecipeArguments, augmentation: Augmentation | None, stream: Split | None
) -> Amortized | Occasional | None:
    if augmentation is None:
        return None
    augmentation = quicken(augmentation)
    if stream is not None:
        return Occasional(augmentation, args.refresh_epochs)
    return Amortized(augmentation, args.refresh_epochs, Path(args.output_dir) / AUGMENTED_NAME)


def _collate(
    args: RecipeArguments, config: AudioCNNConfig, extractor: SequenceFeatureExtractor
) -> tuple[Callable[..., WindowCollator], nn.Module | None]:
    """What makes batches, and what makes a network's features of them where they are not made by an extractor."""
    features = kaldi_features(extractor)
    padding = extractor if is_encoder(extractor) and features is None else None
    if padding and padding_arguments(padding) and not getattr(padding, "return_attention_mask", True):
        args.per_device_eval_batch_size = 1  # padding would change what it answers
    return functools.partial(WindowCollator, extractor=padding, overlap=config.overlap), features


def _find_trained_clips(
    args: RecipeArguments,
    config: AudioCNNConfig,
    parts: Parts,
    made_by: tuple[ClipTransform, WindowCollator],
) -> Dataset | ClipStream:
    transform, collator = made_by
    if isinstance(parts.train, Dataset):
        return parts.train.with_transform(transform)
    return ClipStream(
        parts.train,
        transform,
        collator,
        batch_size=args.train_batch_size,
        process=(args.process_index, args.world_size),
        seed=args.seed if args.data_seed is None else args.data_seed,
        skipped=None if args.strict else Path(args.output_dir) / SKIPPED_NAME.format(args.process_index),
        speech_only=config.speech_only,
    )
