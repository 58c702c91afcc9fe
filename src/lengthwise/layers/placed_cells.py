"""The classes of recurrent cells by name, of a registry that only says where they are."""

from collections.abc import Iterator, Mapping
from importlib import import_module

from lengthwise.layers.cell import Cell


class PlacedCells(Mapping[str, type[Cell]]):
    """Classes of cells by name; each is looked up when it is asked for.

    >>> from lengthwise.layers.placed_cells import PlacedCells
    >>> PlacedCells({"gru": "lengthwise.layers.cells.GRUCell"})["gru"].__name__
    'GRUCell'

    Args:
        places: module and class by name, such as `lengthwise.core.names.CELL_PLACES`; what is added to it is found.

    Raises:
        KeyError: on look-up, there is no such name.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, name: str) -> type[Cell]:
        module, _, kind = self._places[name].rpartition(".")
        found: type[Cell] = getattr(import_module(module), kind)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)
