"""The network, read at the last step of a sequence or at every step; ensembles, saved models, predictions."""
