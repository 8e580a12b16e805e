"""A team's services on this machine, for trying: what `tools.team` starts and ends.

place.py       the folder that holds all of it: ports, passwords, each person's variables
processes.py   a service as a process of its own: started, awaited, ended by its id
postgres.py    the database of records and accounts
mlflow.py      MLflow's server on it, with proxied files; accounts and what they may do
storage.py     the S3 store for DVC, and the bare Git repository
"""
