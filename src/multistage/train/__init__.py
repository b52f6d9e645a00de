"""Training: the protocol of a run, Lightning, features of frozen filters, checkpoints, resuming.

May import every room but `cli`.
"""
