"""How many features of a step a network reads; no TensorFlow."""

from lengthwise.core.affixes import PER_TOKEN
from lengthwise.models.config import NetworkConfig


def affix_width(config: NetworkConfig) -> int:
    """Features of all affixes of a token together: as many as the token has, to the next multiple of `PER_TOKEN`."""
    return 0 if config.affixes is None else PER_TOKEN * -(-config.embedding // PER_TOKEN)


def step_width(config: NetworkConfig) -> int:
    """Features of a step, of its token, its affixes and its columns together."""
    of_token = config.embedding if config.input == "embedding" else config.vocabulary_size
    return of_token * config.tokens + affix_width(config) + config.features
