"""What can be typed: hyperparameters as a typed tree, their rules, one-line messages, names of folders; Hydra.

May import the rooms whose choices it reads (`filters`, `data`, `readout`, `dashboards`) and those below them.
"""
