"""The same pipeline under many settings: a grid file, and its runs as DVC experiments."""
