"""Training: the protocol of a run, back-propagation by Lightning, features, checkpoints, dashboards."""
