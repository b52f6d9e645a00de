"""Command lines: one run, a sweep, predictions, and what a terminal shows of them."""
