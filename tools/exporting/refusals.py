"""What cannot be exported."""

from pipeline.errors import PipelineError


class UnconvertibleError(PipelineError):
    """A format that cannot hold this model; others may."""
