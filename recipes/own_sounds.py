"""Own sounds: a recording in, one of the user's own classes out; whatever else is needed is chosen by the recordings.

Data: a folder with a folder of recordings a class, or `train/`, `validation/` and `test/` with such folders in them,
or a CSV or TSV that names the recordings, or a layout that is known (docs/own_sounds.md), or annotations with times
(docs/annotations.md); or, with `--dataset_name`, a data set of the Hub. Of recordings that nobody has divided, a fifth
is held out. With `--streaming`, Parquet files or tars (WebDataset), told apart by `train` and `test` in their names.
Metric: accuracy of the weights' average at the last epoch; with `--multi_label`, label-weighted label-ranking average
precision.

    accelerate launch --config_file accelerate_config.yaml recipes/own_sounds.py --data_dir DIR --output_dir OUT
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hf_audio import AudioCNNConfig
from hf_audio.corpora.synthetic_sounds import make_environmental_sounds
from hf_audio.data.collection import load_collection
from hf_audio.data.rows import EVENTS_COLUMN
from hf_audio.data.survey import Survey, survey_recordings, survey_stream
from hf_audio.data.tables.columns import TEST, TRAIN, VALIDATION, Columns
from hf_audio.division.division import Division
from hf_audio.encoders.names import find_checkpoint
from hf_audio.runs.card import TaskFacts, hub_id
from hf_audio.runs.markdown import code
from hf_audio.training.general_sounds.presets import ONE_CLASS, PRESETS, SEARCH_SPACE, TINY
from hf_audio.training.general_sounds.signal import fit_signal, hear_frames, hear_statistics
from hf_audio.training.general_sounds.transforms import (
    slow_transforms,
    slow_unmoved_transforms,
    unmoved_transforms,
    waveform_transforms,
)
from hf_audio.training.networks.encoders import is_audio_cnn
from hf_audio.training.recordings.arguments import RecordingsArguments
from hf_audio.training.recordings.choices import HEARD, count_drawn, fill_in, settle_validation
from hf_audio.training.recordings.defaults import Choice
from hf_audio.training.recordings.loading import load_normal, load_recordings, load_stream
from hf_audio.training.start import find_recordings, run_recipe
from hf_audio.training.task import Task

NETWORKS = {**PRESETS, "tiny": TINY}


@dataclass
class OwnSoundsArguments(RecordingsArguments):
    """The flags of own recordings, and where they train which network."""

    output_dir: str = field(default="outputs/own_sounds", metadata={"help": "Folder of the finished checkpoint."})
    model: str = field(
        default="default",
        metadata={
            "help": "Which network; `tiny` is for microcontrollers.",
            "choices": list(NETWORKS),
        },
    )


def choose(args: OwnSoundsArguments, survey: Survey, drawn: int | None = None) -> Mapping[str, Choice]:
    """Fill in what the user has left open by the network and the recordings, and say why so.

    drawn: clips of an epoch, where some of them come several times.
    """
    if args.model == "tiny":
        args.sampling_rate = args.sampling_rate or TINY["sampling_rate"]
        args.clip_seconds = args.clip_seconds or TINY["clip_seconds"]
    return fill_in(args, survey, drawn)


def fit_network(args: OwnSoundsArguments) -> dict[str, Any]:
    """The network of `--model` for recordings of this rate, length and band."""
    signal = fit_signal(NETWORKS[args.model], args.sampling_rate, args.clip_seconds, args.excerpt_seconds)
    return signal | {name: value for name in ("f_min", "f_max") if (value := getattr(args, name)) is not None}


def normal_facts(args: OwnSoundsArguments, division: Division, choices: Mapping[str, Choice]) -> TaskFacts:
    """What the card says of normal recordings alone."""
    collection = division.collection
    classified = facts(args, division, choices)
    chosen = "".join(f"\n- `{name}` {value}: {why}" for name, (value, why) in choices.items() if name in HEARD)
    return replace(
        classified,
        hears="A recording in, whether it is normal out, and how far it is from that; recordings of more than "
        f"{args.clip_seconds:g} s are judged in windows.",
        data=f"The normal recordings of {code(collection.name)}, as they are."
        + (f" Chosen by the recordings:\n{chosen}" if chosen else ""),
        limits=[limit for limit in classified.limits if "One class" not in limit],
        tags=["sounds", "anomaly-detection"],
    )


def make_normal_task(args: OwnSoundsArguments) -> Task:
    """What is normal, of the user's normal recordings alone."""
    division = load_normal(args)
    collection = division.collection
    name, config = args.model_name_or_path, None
    if name is not None and is_audio_cnn(name):
        config = AudioCNNConfig.from_pretrained(find_checkpoint(name), **ONE_CLASS)
        args.sampling_rate, args.clip_seconds = config.sampling_rate, config.clip_seconds
    choices = choose(args, survey_recordings(collection.dataset, collection.rows(TRAIN)))
    if config is None:
        config = AudioCNNConfig(**hear_statistics(fit_network(args)))
    groups = collection.group_column if collection.is_drawn else None
    return Task(
        config=config,
        dataset=collection.dataset,
        held_out=collection.rows(TEST),
        facts=normal_facts(args, division, choices),
        group_column=groups,
        validation_group_column=groups,
    )


def facts(args: OwnSoundsArguments, division: Division, choices: Mapping[str, Choice]) -> TaskFacts:
    """What the card says."""
    collection = division.collection
    demo = args.data_dir is None and args.dataset_name is None
    out = "tags of what sounds in it" if args.multi_label else "the class of the sound"
    chosen = "".join(f"\n- `{name}` {value}: {why}" for name, (value, why) in choices.items())
    apart = collection.columns.group
    whole = [] if apart is None else [f"No clip that shares its {code(apart)} with a held-out one was trained on."]
    return TaskFacts(
        title="Sounds (demo)" if demo else collection.name,
        hears=f"A recording in, {out} out; recordings of more than {args.clip_seconds:g} s are judged in windows.",
        dataset_name="Synthetic environmental sounds (demo)" if demo else collection.name,
        dataset_type="synthetic_environmental_sounds" if demo else "own_sounds",
        hub_dataset=hub_id(args.dataset_name),
        data=(
            "A demo corpus of sounds made on the spot out of formulas: the figures say that the tools work, and "
            "nothing about the world."
            if demo
            else f"The recordings of {code(collection.name)}; pitch, pace, shift, gain and noise were varied in "
            "training."
        )
        + (f" Chosen by the recordings:\n{chosen}" if chosen else ""),
        split=" ".join([collection.split, *whole, *([division.tells] if division.tells else [])]),
        limits=[
            *(["Synthetic sounds only."] if demo else []),
            *(
                ["Clips of one recording or place may be on both sides of the split, and new ones be judged worse."]
                if division.hears_known
                else []
            ),
            *([] if args.multi_label else ["One class a clip, also where several sound at once."]),
        ],
        license="apache-2.0" if demo else "unknown",
        tags=["sounds"],
    )


def load_recordings_or_demo(args: OwnSoundsArguments) -> Division:
    """The user's recordings, or a demo corpus, divided."""
    if args.data_dir is not None or args.dataset_name is not None:
        return load_recordings(args)
    source = find_recordings(args, demo=make_environmental_sounds, demo_words="sounds made out of formulas")
    return Division(load_collection(source, Columns(group="src_file")), hears_known=False)


def make_task(args: OwnSoundsArguments) -> Task:
    """The user's own classes."""
    if args.only_normal:
        return make_normal_task(args)
    stream, division = load_stream(args) if args.streaming else (None, load_recordings_or_demo(args))
    collection = division.collection
    survey = survey_stream(stream) if stream else survey_recordings(collection.dataset, collection.rows(TRAIN))
    settle_validation(args, collection, stream)
    choices = choose(args, survey, count_drawn(args, collection))
    validation, signal, excerpt = collection.rows(VALIDATION), fit_network(args), args.excerpt_seconds
    has_times = EVENTS_COLUMN in collection.dataset.column_names
    if has_times:
        signal = hear_frames(signal)
    return Task(
        config=AudioCNNConfig(**signal),
        dataset=collection.dataset,
        held_out=collection.rows(TEST),
        facts=facts(args, division, choices),
        folds=division.folds,
        refits=division.folds is not None and not args.folds,
        further_tests=division.further_tests,
        augmentation=unmoved_transforms() if has_times else waveform_transforms(excerpt),
        slow_augmentation=slow_unmoved_transforms() if has_times else slow_transforms(),
        crop_seconds=(excerpt, excerpt) if has_times else None,
        group_column=collection.group_column if division.keeps_groups else None,
        validation_group_column=collection.group_column,
        validation_rows=validation if validation.any() else None,
        stream=stream,
        stop_when_settled=bool(args.stop_when_settled),
        search_space=SEARCH_SPACE,
    )


if __name__ == "__main__":
    run_recipe(make_task, OwnSoundsArguments)
