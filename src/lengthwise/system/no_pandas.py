"""Arrow without pandas, for processes that make no data frames."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType

ABSENT = "pandas"


class _Nowhere(MetaPathFinder):
    """Finds no pandas, and lets nobody else find it."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == ABSENT:
            raise ModuleNotFoundError(f"{fullname}: not to be imported by this process", name=fullname)


@contextmanager
def without_pandas() -> Iterator[None]:
    """Use Arrow in here, which imports pandas, where it is installed, as soon as it makes an array of anything.

    That takes as long as a small stage, and is of use only to whoever has data frames. Where pandas has been imported
    before, nothing changes. Whatever is imported in here and needs it says so.
    """
    nowhere = _Nowhere()
    sys.meta_path.insert(0, nowhere)
    try:
        yield
    finally:
        sys.meta_path.remove(nowhere)
