"""spaCy without its command line, which `import spacy` brings along: half of the time that this takes.

The command line imports HTTP clients, templates and what trains models, for the one name `spacy.info`. Nothing of it
serves to make tokens.
"""

import sys
from importlib import import_module
from types import ModuleType

CLI, INFO = "spacy.cli", "spacy.cli.info"


def import_spacy() -> None:
    """Import spaCy, unless it is there; its command line is imported when it is asked for."""
    if "spacy" in sys.modules:
        return
    cli, info = ModuleType(CLI), ModuleType(INFO)
    # A package, of which the one module is there.
    cli.__path__ = []
    setattr(info, "info", _info)  # noqa: B010 - a module has no such attribute, as far as types go.
    sys.modules.update({CLI: cli, INFO: info})
    try:
        import_module("spacy")
    except ImportError:
        # This version of spaCy needs more of it.
        for name in [name for name in sys.modules if name.partition(".")[0] == "spacy"]:
            del sys.modules[name]
        import_module("spacy")
    finally:
        for name, stand_in in ((CLI, cli), (INFO, info)):
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def _info(*arguments: object, **named: object) -> object:
    """What `spacy.info` does."""
    return import_module(INFO).info(*arguments, **named)
