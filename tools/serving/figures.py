"""What the server counts, as Prometheus reads it: the sum of all workers, at /metrics."""

import os
from pathlib import Path

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client's own name; set before it is imported


class Figures:
    """Counters of one worker. They live in files, so that a worker that ends leaves its sums."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.requests = Counter("image_pipeline_requests", "Requests answered", ["path", "status"])
        self.seconds = Histogram(
            "image_pipeline_request_seconds",
            "From a request's headers to its answer",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30),
        )
        self.images = Counter("image_pipeline_images", "Images classified", ["class"])
        self.batch = Histogram(
            "image_pipeline_batch_images",
            "Images computed together",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128),
        )

    def page(self) -> tuple[bytes, str]:
        """The text of all workers and its content type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        if Path(os.environ[FOLDER]).is_dir():
            MultiProcessCollector(registry)
        return generate_latest(registry), CONTENT_TYPE_LATEST
