"""What the command line reads and writes: texts, rows and the standard streams."""
