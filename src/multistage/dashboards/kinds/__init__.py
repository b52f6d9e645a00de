"""The loggers, a file each."""
