"""What runs left, wherever it lies: a folder, Git, the DVC cache, a record in `results/`; and which can be compared."""
