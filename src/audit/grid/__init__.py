"""The grid: every rectification with every normalisation and every pooling, from records."""
