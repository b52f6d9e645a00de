"""The page of results: one file that needs nothing but itself."""
