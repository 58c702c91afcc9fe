"""Charts as SVG, made of nothing but their numbers: the same numbers, the same bytes."""
