"""What `tools.predict` does with a model and many images.

engines.py   the model as a function: its exported file where there is one, else Keras
reading.py   many images to probabilities, a chunk at a time
outcome.py   where the answers go: lines, a table, folders
"""
