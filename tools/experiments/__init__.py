"""Experiments in numbers: sweeps, searches and the published rows, run as DVC experiments.

file         an experiment file: a list, a grid, a search, rows with published figures
fields       what it shares with the benchmark's file
space        what a search may draw
experiment   one experiment before it runs
runner       runs what a source gives: a list, or a search (tuning)
engine       where experiments run: `local`, processes of this machine; `cluster`, a Ray cluster
connection   to Ray, which nothing else imports
seat         an experiment's place on a node: an actor that starts `remote` there
job          what goes with it
remote       its process there: a clone, a run, a bundle
worker       a clone of the repository in which `dvc repro` and `dvc exp save` run
repository   what is read from Git: the commit, its experiments, their files
table        what a sweep ends with
"""
