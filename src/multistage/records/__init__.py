"""Records of runs: identity, state and record of a run, cells of runs with confidence intervals, the paper's figures.

May import `settings` and the rooms below it.
"""
