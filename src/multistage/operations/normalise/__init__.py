"""Normalisations, in N's place."""
