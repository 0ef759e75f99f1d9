"""The tests' smallest recipe on shards, read as a stream."""

from audiomentations import AddGaussianNoise, Compose, Gain

from helpers.checkpoints import tiny_config
from helpers.tones import FACTS, TonesArguments
from hf_audio.augmentation.transforms import RandomPlacement
from hf_audio.data.shards import load_shards
from hf_audio.data.tables.columns import TEST, VALIDATION
from hf_audio.training.task import Task


def make_task(args: TonesArguments) -> Task:
    with args.main_process_first(desc="shards"):
        stream, collection = load_shards(args.data_dir)
    return Task(
        config=tiny_config(),
        dataset=collection.dataset,
        held_out=collection.rows(TEST),
        facts=FACTS,
        stream=stream,
        validation_rows=collection.rows(VALIDATION) if VALIDATION in collection.parts else None,
        augmentation=Compose([RandomPlacement(1.0), AddGaussianNoise(0.001, args.noise, p=1)]),
        slow_augmentation=Gain(-6, 6, p=0.5),
    )
