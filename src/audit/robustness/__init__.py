"""What networks keep of their accuracy on corrupted images: curves, tables and what N brings, from records."""
