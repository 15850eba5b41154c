"""The store: the log, its projections, and nothing else."""
