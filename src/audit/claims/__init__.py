"""Claims, the rules that decide them, and templates whose figures come from records."""
