"""From records to published results: `results/<name>/records.jsonl` and its tables, as pure functions."""
