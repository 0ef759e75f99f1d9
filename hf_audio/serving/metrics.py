"""What a server counts and times, as Prometheus reads it."""

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from .tally import HELD_BYTES, LOADED, STREAMS, WAITING, Tally

BATCH_SIZES = (1, 2, 4, 8, 16)
GAUGES = {
    "hf_audio_requests_waiting": ("Requests with a place in the queue.", WAITING),
    "hf_audio_streams": ("Streams that are open.", STREAMS),
    "hf_audio_body_bytes": ("Bodies of requests in memory.", HELD_BYTES),
    "hf_audio_processes_loaded": ("Processes whose models are loaded.", LOADED),
}
# Of a process's own figures, the one that several processes do not have together.
START, MEMORY = "process_start_time_seconds", "process_resident_memory_bytes"


class Metrics:
    """What Prometheus reads of one service.

    Args:
        tally: what is under way.
        folder: where the workers of one server keep their counts, which are added up when any of them is asked; by
            default the server is one process.
    """

    def __init__(self, tally: Tally, folder: Path | None = None):
        self.registry = CollectorRegistry()
        self.registry.register(_UnderWay(tally))
        if folder is None:
            counted = self.registry
            ProcessCollector(registry=self.registry)
        else:
            counted = CollectorRegistry()  # by which nobody asks
            MultiProcessCollector(self.registry, str(folder))
            self.registry.register(_Processes(tally))
        self.requests = Counter("hf_audio_requests", "Requests answered.", ["path", "status"], registry=counted)
        self.request_seconds = Histogram(
            "hf_audio_request_seconds", "From a request's head to the end of its answer.", ["path"], registry=counted
        )
        self.batch_windows = Histogram(
            "hf_audio_batch_windows",
            "Windows that went through a network together.",
            buckets=BATCH_SIZES,
            registry=counted,
        )
        self.audio_seconds = Counter("hf_audio_decoded_seconds", "Seconds of sound in files.", registry=counted)


class _UnderWay(Collector):
    def __init__(self, tally: Tally):
        self.tally = tally

    def collect(self) -> Iterable[Metric]:
        for name, (meaning, kind) in GAUGES.items():
            yield GaugeMetricFamily(name, meaning, value=self.tally.total(kind))


class _Processes(Collector):
    """The figures that the system keeps of each process, added up; and each one's memory."""

    def __init__(self, tally: Tally):
        self.tally = tally

    def collect(self) -> Iterable[Metric]:
        kinds: dict[str, Metric] = {}
        values: dict[str, list[float]] = defaultdict(list)
        memory = GaugeMetricFamily("hf_audio_worker_resident_bytes", "Memory of each process.", labels=["worker"])
        for worker, process in self.tally.processes().items():
            for metric in ProcessCollector(pid=partial(int, process), registry=None).collect():
                kinds[metric.name] = metric
                (sample,) = metric.samples
                values[metric.name].append(sample.value)
                if metric.name == MEMORY:
                    memory.add_metric([worker], sample.value)
        for name, metric in kinds.items():
            together = Metric(name, metric.documentation, metric.type)
            total = min(values[name]) if name == START else sum(values[name])
            together.add_sample(metric.samples[0].name, {}, total)
            yield together
        yield memory
