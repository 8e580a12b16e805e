"""All experiments in one place: read from MLflow and DVC, compared, shown in one HTML file.

runs.py         what is known of one run
results.py      the reports of a run, parsed
recorded.py     the runs in MLflow's store
experiments.py  the experiments in DVC's repository
together.py     the two joined, and what differs between the runs
chance.py       seeds and McNemar's test
page.py         the HTML file; page/ has its template, its style and its JavaScript
"""
