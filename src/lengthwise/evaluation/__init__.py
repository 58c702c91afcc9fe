"""Metrics per sequence, document and author, with confidence intervals, and baselines."""
