"""The embeddings of decoded clips, each computed once and kept: what a head is fitted to, and what judges it."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from datasets import Dataset
from tqdm.auto import tqdm
from transformers import PreTrainedModel, SequenceFeatureExtractor

from ...data.cache import cached_waveform
from ...inference.embedder import TorchAudioEmbedder
from ...inference.facts import Facts
from ...inference.torch_network import TorchNetwork
from .network_parts import head_layer
from .vector_cache import VectorCache, fingerprint, samples_key

# Samples that one thread embeds before they are written to the cache: 16 MB.
POOL_SAMPLES = 1 << 22
# Of a config, what changes no embedding: how recordings are cut, what the head tells, and how it was saved.
NOT_OF_EMBEDDINGS = frozenset(
    {
        "_name_or_path",
        "architectures",
        "auto_map",
        "clip_seconds",
        "dropout",
        "dtype",
        "event_rule",
        "id2label",
        "label2id",
        "normal_centers",
        "num_digits",
        "overlap",
        "problem_type",
        "rejection_margin",
        "speech_only",
        "temperature",
        "transformers_version",
    }
)
QUIET_SECONDS = 2.0  # before a bar of progress is shown


@dataclass(frozen=True)
class ClipEmbeddings:
    """The embeddings of clips, window by window."""

    vectors: np.ndarray
    """(windows, size) float32, those of the first clip first."""
    counts: np.ndarray
    """Windows of each clip, (clips,)."""

    def means(self) -> np.ndarray:
        """The mean embedding of each clip, (clips, size) float32."""
        starts = np.cumsum(self.counts) - self.counts
        sums = np.add.reduceat(self.vectors, starts, dtype=np.float64)
        return (sums / self.counts[:, None]).astype(np.float32)


class ClipEmbedder:
    """Embeds decoded clips by a network with a head, in memory; on a CPU on all cores.

    The windows of a clip are those in which a finished checkpoint judges it. Vectors are kept by the network's weights
    without its last layer, and by the samples of a window: whatever else changes, none is computed twice.

    Args:
        model: in evaluation mode, on its device.
        extractor: of the model.
    """

    def __init__(self, model: PreTrainedModel, extractor: SequenceFeatureExtractor):
        facts = Facts.from_config(model.config, extractor.sampling_rate)
        self.embedder = TorchAudioEmbedder(TorchNetwork(model, extractor, facts, model.device))
        name, layer = head_layer(model)
        weights = {key: value for key, value in model.state_dict().items() if not key.startswith(f"{name}.")}
        values = model.config.to_dict()
        settings = {key: values[key] for key in sorted(values.keys() - NOT_OF_EMBEDDINGS)}
        made_by = fingerprint(weights, type(model).__name__, repr(settings), extractor.to_json_string())
        self.cache = VectorCache(f"embeddings-{made_by}", layer.in_features)
        self.n_threads = torch.get_num_threads() if model.device.type == "cpu" else 1

    def __call__(self, clips: Dataset) -> ClipEmbeddings:
        """The embeddings of decoded clips, rows of `audio` as `cache_audio` gives them."""
        rows = clips.with_format(None).select_columns("audio")
        return self.embed(cached_waveform(row["audio"]) for row in rows)

    def embed(self, waveforms: Iterable[np.ndarray]) -> ClipEmbeddings:
        """The embeddings of waveforms, (samples,) float32 at the network's rate, read one after the other."""
        keys: list[str] = []
        counts: list[int] = []
        n_before = torch.get_num_threads()
        # A network's layers are small: threads that share them wait for each other, and those with windows of their
        # own do not.
        with ThreadPoolExecutor(self.n_threads, initializer=torch.set_num_threads, initargs=(1,)) as threads:
            pending: deque[tuple[list[str], Future[np.ndarray]]] = deque()
            try:
                for pool in self._missing(waveforms, keys, counts):
                    pending.append((list(pool), threads.submit(self.embedder.embed, list(pool.values()))))
                    if len(pending) > self.n_threads:
                        self._keep(*pending.popleft())
                while pending:
                    self._keep(*pending.popleft())
            finally:
                threads.shutdown(cancel_futures=True)
                torch.set_num_threads(n_before)
        return ClipEmbeddings(self.cache.read(keys), np.array(counts, dtype=int))

    def _keep(self, keys: list[str], embedded: Future[np.ndarray]) -> None:
        self.cache.add(keys, embedded.result())

    def _missing(
        self, waveforms: Iterable[np.ndarray], keys: list[str], counts: list[int]
    ) -> Iterator[dict[str, np.ndarray]]:
        """Windows that the cache lacks, some at a time; notes the key of every window, and how many clips have."""
        pool: dict[str, np.ndarray] = {}
        awaited: set[str] = set()
        for waveform in tqdm(waveforms, desc="Embeddings", unit="clip", delay=QUIET_SECONDS):
            windows = self.embedder.facts.cut(waveform)
            counts.append(len(windows))
            for window in windows:
                key = samples_key(window)
                keys.append(key)
                if key not in self.cache and key not in awaited:
                    pool[key] = window
                    awaited.add(key)
            if sum(map(len, pool.values())) >= POOL_SAMPLES:
                yield pool
                pool = {}
        if pool:
            yield pool
