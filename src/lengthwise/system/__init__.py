"""Files that are complete or absent, seals, worker processes and progress."""
