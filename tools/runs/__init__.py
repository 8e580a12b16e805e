"""A finished experiment is one `Run`, read one way; what shows runs is a view of a list of them.

run          what is known of one run, and what two of them share
reports      history.csv, confusion.csv and predictions.csv, parsed
experiments  the experiments that DVC keeps in the repository
recorded     the runs in MLflow's store
together     both: an experiment with its record, and all as one list
spread       several values of one figure
"""
