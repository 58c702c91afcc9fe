"""What Keras lets a caller say of each weight of a layer: how it begins, what is penalized, what it may be."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import keras

# A string, a function or an object of Keras, or its configuration.
Option = Any
KINDS = {"initializer": keras.initializers, "regularizer": keras.regularizers, "constraint": keras.constraints}


class WithWeightOptions(keras.layers.Layer):
    """A layer with `kernel_initializer`, `kernel_regularizer`, `kernel_constraint`, and so on for each weight."""

    # What a weight is initialized by, if nothing else is said.
    initialized_by: ClassVar[Mapping[str, str]] = {}

    def __init__(self, **options: Option) -> None:
        given = {name: options.pop(name, None) for name in self._option_names()}
        super().__init__(**options)
        for weight, first in self.initialized_by.items():
            for kind, module in KINDS.items():
                name = f"{weight}_{kind}"
                value = first if given[name] is None and kind == "initializer" else given[name]
                # The name of an initializer becomes one, which draws its seed, when the weight is made.
                stays = kind == "initializer" and isinstance(value, str)
                setattr(self, name, value if stays else module.get(value))

    def _option_names(self) -> list[str]:
        return [f"{weight}_{kind}" for weight in self.initialized_by for kind in KINDS]

    def _weight(self, name: str, shape: Sequence[int | None], like: str, initializer: object = None) -> keras.Variable:
        """Make a weight with what was said of one: of itself, or of the weight that it is like."""
        options = {kind: getattr(self, f"{like}_{kind}") for kind in KINDS}
        return self.add_weight(
            shape=shape, name=name, **{**options, "initializer": initializer or options["initializer"]}
        )

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        config = super().get_config()
        for name in self._option_names():
            value = getattr(self, name)
            plain = value is None or isinstance(value, str)
            config[name] = value if plain else KINDS[name.rpartition("_")[2]].serialize(value)
        return config
