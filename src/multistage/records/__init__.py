"""What a run is and was: its identity, state and record, cells of runs with confidence intervals, the paper's figures.

May import `settings` and the rooms below it.
"""
