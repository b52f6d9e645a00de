"""The page of results: one self-contained file."""
