"""The report on a change: what it did to the figures, what it costs, and whether that is more than chance."""
