"""What each task is scored by: its metrics, its levels, its tables and what is kept of its predictions."""
