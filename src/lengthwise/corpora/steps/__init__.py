"""Corpora that come as steps: sequences of features, tokens and tags."""
