"""The loggers, one file each."""
