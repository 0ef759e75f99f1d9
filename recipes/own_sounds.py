"""Own sounds: a recording in, one of the user's own classes out; whatever else is needed is chosen by the recordings.

Data: a folder with a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them,
or a table. Of recordings that nobody has divided, a fifth is held out. Metric: accuracy, of the weights' average at
the last epoch.

    accelerate launch --config_file accelerate_config.yaml recipes/own_sounds.py --data_dir DIR --output_dir OUT
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from hf_audio import AudioCNNConfig
from hf_audio.arguments import ArgumentError
from hf_audio.collection import TEST, TRAIN, VALIDATION, Collection, Columns, load_collection
from hf_audio.defaults import Choice, choose_defaults
from hf_audio.demo_data import make_environmental_sounds
from hf_audio.general_sounds import PRESETS, GeneralSoundsArguments, fit_signal, slow_transforms, waveform_transforms
from hf_audio.model_card import TaskFacts
from hf_audio.recipe import find_recordings, run_recipe
from hf_audio.survey import survey_recordings
from hf_audio.training import fine_tune

logger = logging.getLogger(__name__)

# What is chosen by the recordings, where the user has not given it.
CHOSEN = ("sampling_rate", "clip_seconds", "excerpt_seconds", "per_device_train_batch_size", "num_train_epochs")


@dataclass
class OwnSoundsArguments(GeneralSoundsArguments):
    """The task's flags; what is `None` is chosen by the recordings."""

    output_dir: str = field(default="outputs/own_sounds", metadata={"help": "Folder of the finished checkpoint."})
    group_column: str | None = field(
        default=None,
        metadata={"help": "Column (recording, speaker, patient) whose clips stay together on one side of a split."},
    )
    sampling_rate: int | None = field(
        default=None,
        metadata={"help": "Samples per second that the network hears. By default, as the recordings have."},
    )
    clip_seconds: float | None = field(
        default=None,
        metadata={"help": "Longer recordings are judged in windows of this length. By default, see above."},
    )
    excerpt_seconds: float | None = field(
        default=None, metadata={"help": "Length of the random excerpts that are trained on. By default, see above."}
    )
    per_device_train_batch_size: int | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Training clips a device and step. By default, by how many there are."}
    )
    num_train_epochs: float | None = field(  # type: ignore[assignment]
        default=None, metadata={"help": "Epochs. By default, by how many training clips there are."}
    )

    def __post_init__(self):
        for name in CHOSEN:
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ArgumentError(f"--{name} {value} must be above 0.")
        super().__post_init__()


def choose(args: OwnSoundsArguments, collection: Collection) -> Mapping[str, Choice]:
    """Fill in what the user has left open, and say why so."""
    given = {name: getattr(args, name) for name in CHOSEN if getattr(args, name) is not None}
    choices = choose_defaults(survey_recordings(collection.dataset, collection.rows(TRAIN)), given)
    for name, (value, why) in choices.items():
        setattr(args, name, value)
        logger.info("%s %s: %s.", name, value, why)
    return choices


def facts(args: OwnSoundsArguments, collection: Collection, choices: Mapping[str, Choice]) -> TaskFacts:
    """What the card says."""
    demo = args.data_dir is None
    chosen = "".join(f"\n- `{name}` {value}: {why}" for name, (value, why) in choices.items())
    return TaskFacts(
        title="Sounds (demo)" if demo else collection.name,
        hears="A recording in, the class of the sound out; recordings longer than "
        f"{args.clip_seconds:g} s are judged in windows.",
        dataset_name="Synthetic environmental sounds (demo)" if demo else collection.name,
        dataset_type="synthetic_environmental_sounds" if demo else "own_sounds",
        data=(
            "A demo corpus of sounds made on the spot out of formulas: the figures say that the tools work, and "
            "nothing about the world."
            if demo
            else f"The recordings of `{collection.name}`; pitch, pace, shift, gain and noise were varied during "
            "training."
        )
        + (f" Chosen by the recordings:\n{chosen}\n" if chosen else ""),
        split=collection.split,
        limits=[
            "Synthetic sounds only."
            if demo
            else "Clips of one recording, speaker or place may be on both sides of the split: then the figures are "
            "higher than what new recordings will give.",
            "One class a clip, also where several sound at once.",
        ],
        license="apache-2.0" if demo else "unknown",
        tags=["sounds"],
    )


def main(args: OwnSoundsArguments) -> None:
    """Train on one sound a clip."""
    if args.data_dir is None:
        source = find_recordings(args, demo=make_environmental_sounds, demo_words="sounds made out of formulas")
        collection = load_collection(source, Columns(group="src_file"))
    else:
        collection = load_collection(args.data_dir, Columns(group=args.group_column))
    validation = collection.rows(VALIDATION)
    if validation.any() and args.validation_fraction == 0:
        args.validation_fraction = float(validation.mean())
        args.eval_strategy = "epoch"
    choices = choose(args, collection)
    fine_tune(
        args,
        AudioCNNConfig(**fit_signal(PRESETS[args.model], args.sampling_rate, args.clip_seconds, args.excerpt_seconds)),
        collection.dataset,
        collection.rows(TEST),
        facts(args, collection, choices),
        augmentation=waveform_transforms(args.excerpt_seconds),
        slow_augmentation=slow_transforms(),
        group_column="src_file" if args.data_dir is None else args.group_column,
        validation_rows=validation if validation.any() else None,
    )


if __name__ == "__main__":
    run_recipe(main, OwnSoundsArguments)
