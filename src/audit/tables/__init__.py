"""From records to what is published: `results/<name>/records.jsonl` and the tables made of it, as pure functions."""
