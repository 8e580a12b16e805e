"""What `tools.predict` does with a model and many images.

reading.py   many images to probabilities, a chunk at a time
outcome.py   where the answers go: lines, a table, folders
"""
