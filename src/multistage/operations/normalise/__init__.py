"""Normalisations, alternatives to N."""
