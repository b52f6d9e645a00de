"""The filter methods, one file for each."""
