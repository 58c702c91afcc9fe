from collections.abc import Callable

import numpy as np
import pytest

from lengthwise.models.network import Network, NetworkConfig


@pytest.fixture
def make_network(factors) -> Callable[..., Network]:
    def make(seed: int = 0, **changes: object) -> Network:
        settings = {
            "task": "classifier",
            "vocabulary_size": 20,
            "factors": factors,
            "embedding": 4,
            "units": 5,
            "initial_state": "learned",
            "dropout": 0.5,
        }
        network = Network(NetworkConfig(**{**settings, **changes}))
        rng = np.random.default_rng(seed)
        for variable in network.trainable_variables:
            variable.assign(rng.normal(0, 0.7, variable.shape).astype(np.float32))
        return network

    return make
