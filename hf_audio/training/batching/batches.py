"""Decoded rows of a data set to a model's batches: augmentation, excerpts, windows and padding."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import Sampler
from transformers import SequenceFeatureExtractor

from ...audio.packing import Packed, open_packed
from ...audio.windows import shifted_crops, split_windows
from ...augmentation.amortized import Amortized, Occasional, seed_transforms, seeded
from ...augmentation.quick_transforms import quicken, split_excerpt
from ...augmentation.transforms import vary_background
from ...data.annotations.annotated_rows import tags_of
from ...data.annotations.frame_targets import events_within, frame_targets
from ...data.rows import BELIEVED_COLUMN, COMPLETE_COLUMN, EVENTS_COLUMN, TAUGHT_COLUMN, UNVERIFIED_COLUMN, tag_matrix
from ...errors import DataError
from ...inference.extractors import padding_arguments
from ...models import AudioCNNConfig

# Samples. oneDNN prepares its convolutions anew for every length, and keeps them: that takes time and memory.
LENGTHS_MULTIPLE = 8192


# What a `ClipTransform` reads of rows.
COLUMNS = frozenset(
    ["audio", "index", "label", EVENTS_COLUMN, COMPLETE_COLUMN, BELIEVED_COLUMN, UNVERIFIED_COLUMN, TAUGHT_COLUMN]
)


class _Crop(NamedTuple):
    samples: np.ndarray
    """(samples,) float32."""
    start: int | None = None
    """Where it begins in the clip, in samples; `None` of a whole clip."""


class ClipTransform:
    """For `Dataset.with_transform`: cached rows to the model's inputs, random work drawn anew in every epoch.

    A row's draws depend on the seed, the epoch and the row's `index` alone, and a batch's length on those of its rows:
    not on the number of loader workers, nor on where a run was interrupted.

    Args:
        sampling_rate: of the cached waveforms.
        amortized: a costly transform, applied first, whose results serve for several epochs, or which comes rarely.
        augmentation: an audiomentations transform, called as `augmentation(samples=..., sample_rate=...)`; of parts of
            annotated recordings, one that leaves every sound at its time.
        clip_samples: longer results are cropped at a random place to this many samples; `None` leaves them whole.
            With a pair, each batch draws a length between the two, of a few.
        background: label of clips that are none of the classes, and so may be varied far more than others.
        n_tags: of a data set whose clips have several labels, how many labels there are.
        unverified_weight: of clips whose label nobody has verified, in the loss; those of others weigh 1.
        seed: of all draws.
    """

    def __init__(
        self,
        sampling_rate: int,
        *,
        amortized: Amortized | Occasional | None = None,
        augmentation: Callable[..., np.ndarray] | None = None,
        clip_samples: int | tuple[int, int] | None = None,
        background: int | None = None,
        n_tags: int | None = None,
        unverified_weight: float = 1.0,
        seed: int = 0,
    ):
        self.sampling_rate = sampling_rate
        self.amortized = amortized
        self.excerpt, self.augmentation = split_excerpt(None if augmentation is None else quicken(augmentation))
        self.clip_samples = clip_samples
        self.background = background
        self.n_tags = n_tags
        self.unverified_weight = unverified_weight
        self.seed = seed
        # Shared, because loader workers that live through all epochs hold a copy of this object.
        self.epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Draws from now on are those of this epoch, in every loader worker."""
        self.epoch.fill_(epoch)

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        """Columns `audio`, `index` and `label` (or what is believed) to `input_values`, `labels`, maybe `weights`.

        And `taught`, where a teacher has judged the clips; of parts of annotated recordings, `EVENTS_COLUMN` and
        `COMPLETE_COLUMN`, which go along with what a clip is cropped to, as its tags do.
        """
        size = self._size(batch["index"])
        with seeded(self.seed):  # once a batch: every clip seeds again, and the states are put back after the last
            rows = zip(batch["audio"], batch["index"], batch["label"], strict=True)
            cropped = [self._transform(*row, size) for row in rows]
        inputs: dict[str, list[Any]] = {"input_values": [crop.samples for crop in cropped]}
        labels = batch["label"]
        if EVENTS_COLUMN in batch:
            inputs |= self._crop_events(batch, cropped)
            labels = [
                own if crop.start is None else tags_of(events, len(crop.samples) / self.sampling_rate)
                for own, crop, events in zip(labels, cropped, inputs[EVENTS_COLUMN], strict=True)
            ]
        inputs["labels"] = labels if self.n_tags is None else list(tag_matrix(labels, self.n_tags))
        if BELIEVED_COLUMN in batch:
            inputs["labels"] = list(np.array(batch[BELIEVED_COLUMN], dtype=np.float32))
        if self.unverified_weight != 1 and UNVERIFIED_COLUMN in batch:
            inputs["weights"] = [self.unverified_weight if row else 1.0 for row in batch[UNVERIFIED_COLUMN]]
        if TAUGHT_COLUMN in batch:
            inputs["taught"] = batch[TAUGHT_COLUMN]
        return inputs

    def _size(self, indices: Sequence[int]) -> int | None:
        if not isinstance(self.clip_samples, tuple):
            return self.clip_samples
        generator = np.random.default_rng((self.seed, int(self.epoch), *indices))
        shortest, longest = self.clip_samples
        return int(generator.choice(np.arange(longest, shortest - 1, -LENGTHS_MULTIPLE)))

    def _crop_events(self, batch: dict[str, list[Any]], cropped: Sequence["_Crop"]) -> dict[str, list[Any]]:
        """What sounds in crops of rows, and up to where that is known, in seconds from the crops' beginnings."""
        events, complete = [], []
        for own, until, crop in zip(batch[EVENTS_COLUMN], batch[COMPLETE_COLUMN], cropped, strict=True):
            start, seconds = (crop.start or 0) / self.sampling_rate, len(crop.samples) / self.sampling_rate
            events.append(events_within(own, start, start + seconds))
            complete.append(min(max(until - start, 0.0), seconds))
        return {EVENTS_COLUMN: events, COMPLETE_COLUMN: complete}

    def _transform(self, audio: bytes | memoryview, index: int, label: Any, size: int | None) -> "_Crop":
        recorded = open_packed(audio)
        clip: Packed | np.ndarray = recorded
        if self.amortized is not None:
            clip = self.amortized(recorded, index, self.sampling_rate, self.seed, int(self.epoch))
        is_background = self.background is not None and label == self.background
        draws = self.augmentation is not None or self.excerpt is not None or size is not None or is_background
        return self._draw(clip, index, size, is_background) if draws else _Crop(_unpack(clip))

    def _draw(self, clip: Packed | np.ndarray, index: int, size: int | None, is_background: bool) -> "_Crop":
        seed_transforms(self.seed, int(self.epoch), index)
        if is_background:
            clip = vary_background(_unpack(clip))
        if self.excerpt is not None:
            taken = self.excerpt(samples=_samples(clip), sample_rate=self.sampling_rate)
            clip = clip._replace(samples=taken) if isinstance(clip, Packed) else taken
        if self.augmentation is not None:
            clip = self.augmentation(samples=_unpack(clip), sample_rate=self.sampling_rate)
        start, samples = None, _samples(clip)
        if size is not None and len(samples) > size:
            start = np.random.randint(len(samples) - size + 1)
            samples = samples[start : start + size]
        waveform = _unpack(clip._replace(samples=samples) if isinstance(clip, Packed) else samples)
        # One such clip would turn every weight into NaN, without a word. A sum of squares takes half the time.
        if not (np.isfinite(np.dot(waveform, waveform)) or np.isfinite(waveform).all()):
            raise DataError(f"The augmentation turned clip {index} into NaN: narrow the ranges of its filters.")
        return _Crop(np.asarray(waveform, dtype=np.float32), start)


def _samples(clip: Packed | np.ndarray) -> np.ndarray:
    return clip.samples if isinstance(clip, Packed) else clip


def _unpack(clip: Packed | np.ndarray) -> np.ndarray:
    return clip.unpack() if isinstance(clip, Packed) else clip


class WindowCollator:
    """Rows to one padded batch; clips longer than the model's window become several windows.

    Without a window (`clip_samples=None`), every clip stays whole, and the batch is padded to one of a few lengths.
    With `crops`, every clip becomes so many evenly shifted windows instead.

    Returns `labels` (batch, ...), `input_values` (windows, samples), `attention_mask` where lengths differ,
    `window_counts` (batch,) where a clip has more than one window, and `weights` (batch,) and `taught` (batch, labels)
    where rows have them. With an `extractor`, what that makes of the windows takes the place of waveforms and mask.
    With `frames`, the config of a network that scores frames, and rows that have events and one window each, also
    `frame_targets` (batch, frames, labels), see `frame_targets`.
    """

    def __init__(
        self,
        clip_samples: int | None,
        crops: int = 0,
        extractor: SequenceFeatureExtractor | None = None,
        overlap: float = 0.0,
        frames: AudioCNNConfig | None = None,
    ):
        self.clip_samples = clip_samples
        self.frames = frames
        self.overlap = overlap
        self.crops = crops
        self.extractor = extractor
        self.padding = {} if extractor is None else padding_arguments(extractor)

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Rows of `input_values` (samples,) and `labels` to a batch."""
        waveforms = [row["input_values"] for row in rows]
        if self.clip_samples is None:
            windows = [[waveform] for waveform in waveforms]
        elif self.crops:
            windows = [shifted_crops(waveform, self.clip_samples, self.crops) for waveform in waveforms]
        else:
            windows = [split_windows(waveform, self.clip_samples, self.overlap) for waveform in waveforms]
        clips = [window for group in windows for window in group]
        # The labels come first: Trainer takes the batch size from the first tensor.
        batch = {"labels": torch.as_tensor(np.array([row["labels"] for row in rows])), **self._inputs(clips)}
        if "weights" in rows[0]:
            batch["weights"] = torch.tensor([float(row["weights"]) for row in rows])
        if "taught" in rows[0]:
            batch["taught"] = torch.tensor(np.array([row["taught"] for row in rows]), dtype=torch.float32)
        if len(clips) > len(rows):
            batch["window_counts"] = torch.tensor([len(group) for group in windows])
        elif self.frames is not None and EVENTS_COLUMN in rows[0]:
            batch["frame_targets"] = self._frame_targets(self.frames, rows, batch["input_values"].shape[1])
        return batch

    def _frame_targets(self, config: AudioCNNConfig, rows: Sequence[dict[str, Any]], n_samples: int) -> torch.Tensor:
        """What sounds in every frame of clips that are padded to so many samples; unknown behind their ends."""
        assert config.frame_seconds is not None
        shape = config.count_frames(n_samples), config.frame_seconds, config.num_labels
        targets = [frame_targets(row[EVENTS_COLUMN], *shape, row[COMPLETE_COLUMN]) for row in rows]
        return torch.from_numpy(np.stack(targets))

    def _inputs(self, clips: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
        if self.extractor is not None:
            rate = self.extractor.sampling_rate
            return dict(self.extractor(clips, sampling_rate=rate, return_tensors="pt", **self.padding))
        lengths = np.array([len(clip) for clip in clips])
        size = lengths.max()
        if self.clip_samples is None:
            size = -(-size // LENGTHS_MULTIPLE) * LENGTHS_MULTIPLE
        input_values = np.empty((len(clips), size), dtype=np.float32)
        for row, clip in zip(input_values, clips, strict=True):
            row[: len(clip)], row[len(clip) :] = clip, 0
        inputs = {"input_values": torch.from_numpy(input_values)}
        if lengths.min() < size:
            mask = np.arange(size) < lengths[:, None]
            inputs["attention_mask"] = torch.from_numpy(mask)
        return inputs


class BalancedSampler(Sampler[int]):
    """The rows of an epoch, as many of every class as the largest one has: each row at least once, in random order.

    Rows of smaller classes come again, none of a class more than once more often than another.

    Args:
        labels: (rows,) class indices.
        seed: of the order, with the epoch's number.
    """

    def __init__(self, labels: np.ndarray, seed: int):
        self.rows = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        self.largest = max(map(len, self.rows))
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draws from now on are those of this epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.largest * len(self.rows)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        repeats, rest = zip(*(divmod(self.largest, len(rows)) for rows in self.rows), strict=True)
        chosen = [
            np.concatenate([np.tile(rows, times), generator.permutation(rows)[:more]])
            for rows, times, more in zip(self.rows, repeats, rest, strict=True)
        ]
        return iter(generator.permutation(np.concatenate(chosen)).tolist())


class BackgroundSampler(Sampler[int]):
    """The rows of an epoch: those of classes, and no more rows of background than these are, others in every epoch.

    Args:
        background: which rows are background, (rows,) of bool.
        seed: of the order, with the epoch's number.
        known: draws from the other rows, whose places among themselves it gives; by default, each comes once.
    """

    def __init__(self, background: np.ndarray, seed: int, known: BalancedSampler | None = None):
        self.known_rows, self.background_rows = np.flatnonzero(~background), np.flatnonzero(background)
        self.seed = seed
        self.known = known
        self.n_known = len(self.known_rows) if known is None else len(known)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Draws from now on are those of this epoch."""
        self.epoch = epoch
        if self.known is not None:
            self.known.set_epoch(epoch)

    def __len__(self) -> int:
        return self.n_known + min(len(self.background_rows), self.n_known)

    def __iter__(self) -> Iterator[int]:
        generator = np.random.default_rng((self.seed, self.epoch))
        known = self.known_rows if self.known is None else self.known_rows[list(self.known)]
        background = generator.permutation(self.background_rows)[: self.n_known]
        return iter(generator.permutation(np.concatenate([known, background])).tolist())
