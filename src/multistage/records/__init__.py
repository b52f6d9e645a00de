"""What a run is and was: its identity, folder and record, the cache, cells of runs, the paper's figures."""
