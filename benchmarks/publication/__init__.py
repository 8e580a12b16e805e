"""The published rows: what others have measured, run again and written down."""
