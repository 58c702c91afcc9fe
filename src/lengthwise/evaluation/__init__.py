"""How good a model is: per sequence, per document and per author, with intervals, beside simple models."""
