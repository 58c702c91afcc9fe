"""The article's two models: one network, read at the last step of a sequence or at every step."""
