"""What a server counts and times, as Prometheus reads it."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector

BATCH_SIZES = (1, 2, 4, 8, 16)


class Metrics:
    """What Prometheus reads of one service."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter("hf_audio_requests", "Requests answered.", ["path", "status"], registry=registry)
        self.request_seconds = Histogram(
            "hf_audio_request_seconds", "From a request's head to the end of its answer.", ["path"], registry=registry
        )
        self.waiting = Gauge("hf_audio_requests_waiting", "Requests with a place in the queue.", registry=registry)
        self.streams = Gauge("hf_audio_streams", "Streams that are open.", registry=registry)
        self.held_bytes = Gauge("hf_audio_body_bytes", "Bodies of requests in memory.", registry=registry)
        self.batch_windows = Histogram(
            "hf_audio_batch_windows",
            "Windows that went through a network together.",
            buckets=BATCH_SIZES,
            registry=registry,
        )
        self.audio_seconds = Counter("hf_audio_decoded_seconds", "Seconds of sound in files.", registry=registry)
