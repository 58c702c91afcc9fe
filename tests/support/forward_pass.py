"""The forward pass without TensorFlow of a network that a test has made."""


def forward_of(network, *, native=True):
    """A `ForwardNetwork` of the weights of a Keras network or ensemble."""
    from lengthwise.inference.forward import ForwardNetwork
    from lengthwise.models.saved import arrays_of

    return ForwardNetwork(network.config, arrays_of(network), native=native)
