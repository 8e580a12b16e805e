"""Experiments in numbers: sweeps, searches and the published rows, run as DVC experiments.

sweepfile    a file of experiments, read and checked   (python -m tools.sweep)
searchfile   a file of a search space                  (python -m tools.tune)
rows         the published rows                        (python -m benchmarks.published)
runner       runs experiments, one or more at a time, each by a worker
worker       a clone of the repository in which `dvc repro` and `dvc exp save` run
repository   what is read from Git: the commit, its experiments, their files
results      what came out of an experiment
"""
