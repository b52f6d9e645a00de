"""Claims, the rules that decide them, and texts whose figures come from records."""
