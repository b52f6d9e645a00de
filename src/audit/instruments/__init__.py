"""Instruments: functions that measure properties of layers and networks."""
