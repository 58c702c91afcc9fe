"""What a run of the pipeline left, wherever its files lie: a folder, Git, the DVC cache, a record in `results/`."""
