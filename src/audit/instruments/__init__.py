"""Instruments that measure layers."""
