"""The pictures and the page of the report. Nothing here imports Keras."""
