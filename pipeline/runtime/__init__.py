"""How a stage runs as a process: errors, outs, resume files, locks, wall times."""
