"""What `tools.gc` removes: each module names what nothing needs, and can remove it.

cache   DVC's cache
state   .state: resume files, clones and logs
record  MLflow's runs and their files
"""
