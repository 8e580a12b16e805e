"""stub for now"""
from pathlib import Path
FILE="model_card.md"
def write(path, found):
    path.write_text("x"); return path
def record(run, path): return False
