"""Keras layers for sequences of different lengths."""
