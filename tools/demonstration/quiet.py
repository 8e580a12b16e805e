"""What has to be said before gradio is imported."""

import os


def hush() -> None:
    """No word to gradio's makers, and no look for a newer version."""
    os.environ.update(
        GRADIO_ANALYTICS_ENABLED="False",
        HF_HUB_DISABLE_TELEMETRY="1",
        HF_HUB_OFFLINE="1",
        DO_NOT_TRACK="1",
    )
