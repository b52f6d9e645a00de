"""Says things about runs: tables, claims, pages, the lecture, measurements of layers and of speed."""
