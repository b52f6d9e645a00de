"""The network: sizes as plain arithmetic, stages of operations, a classifier. Needs torch and nothing else."""
