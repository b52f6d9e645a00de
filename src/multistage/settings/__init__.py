"""Settings: the typed tree of hyperparameters, their rules, one-line messages, names of run folders, Hydra.

May import the rooms whose choices it reads (`filters`, `data`, `readout`, `dashboards`) and those below them.
"""
