"""YAML files in which no key stands twice, and no value means two things.

PyYAML reads YAML 1.1, and DVC, which reads the same params, YAML 1.2: `010` is 8 to one and 10 to the other, and `no`
is false or text.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from yaml.composer import Composer

from lengthwise.errors import ParamsError

# Python refuses to print a number of more than 4300 digits.
MOST_DIGITS = 1000
# What PyYAML raises for what is no YAML, and by mistake for a tag that does not fit its value, such as `!!int ''`.
BROKEN = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


TAG = "tag:yaml.org,2002:"
# An integer that is octal to YAML 1.1, and what is an integer to YAML 1.2, as ruamel.yaml reads it for DVC.
OCTAL = re.compile(r"[-+]?0[0-7_]+")
INTEGER = re.compile(r"(?=[-+0-9])[-+]?(0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)")
TRUTH = re.compile(r"true|True|TRUE|false|False|FALSE")


def second_meaning(tag: str, text: str) -> str | None:
    """What a plain scalar is to YAML 1.2, if that is not what it is to YAML 1.1.

    A number such as `1e-4`, which is text to YAML 1.1, is taken as the number by all keys that are numbers.

    >>> second_meaning("int", "010"), second_meaning("bool", "no"), second_meaning("int", "10")
    ('10', "the text 'no'", None)

    Args:
        tag: what it is to YAML 1.1: int, float, bool, str and so on.
        text: as it stands in the file.
    """
    if (tag in {"int", "float"} and ":" in text) or (tag == "bool" and not TRUTH.fullmatch(text)):
        return f"the text {text!r}"
    if tag == "int" and OCTAL.fullmatch(text):
        digits = text.replace("_", "")
        return str(int(digits)) if int(digits) != int(digits, 8) else None
    return "an integer" if tag == "str" and INTEGER.fullmatch(text) else None


# libyaml reads a file ten times as fast as PyYAML's own scanner; not every build of PyYAML has it. The composer is
# PyYAML's in any case: it can be looked over.
SAFE_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BASES: Any = (SAFE_LOADER,) if SAFE_LOADER is yaml.SafeLoader else (Composer, SAFE_LOADER)


class _StrictLoader(*_BASES):  # type: ignore[misc]
    """PyYAML lets the last of two equal keys win; we refuse both. And aliases: a line may stand for gigabytes."""

    def __init__(self, stream: str) -> None:
        _BASES[-1].__init__(self, stream)
        Composer.__init__(self)
        self._keys: list[str] = []

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:  # noqa: ANN401
        event: Any = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            raise ParamsError(f"alias *{event.anchor} in line {line}; expected the value itself; write it out")
        with self._within(index):
            node = super().compose_node(parent, index)
            if isinstance(event, yaml.ScalarEvent) and node is not None:
                tag = node.tag.removeprefix(TAG)
                if event.implicit[0] or tag == "int":
                    self._refuse_two_meanings(tag, event.value, line)
        return node

    @contextmanager
    def _within(self, index: object) -> Iterator[None]:
        """While the value of a key is read, it is the last of the keys."""
        key = [str(index.value)] if isinstance(index, yaml.ScalarNode) else []
        self._keys += key
        yield
        del self._keys[len(self._keys) - len(key) :]

    def _refuse_two_meanings(self, tag: str, text: str, line: int) -> None:
        # A longer number is refused as it is made.
        theirs = second_meaning(tag, text) if len(text) <= MOST_DIGITS else None
        if theirs:
            place = f"{'.'.join(self._keys)}: " if self._keys else ""
            ours = f"the text {text!r}" if tag == "str" else yaml.safe_load(text)
            raise ParamsError(
                f"{place}got {text} in line {line}, which is {str(ours).lower()} to YAML 1.1 and {theirs} to YAML 1.2, "
                "as DVC reads it; expected a value that is the same to both; write it out, or put it in quotes for text"
            )

    def construct_short_int(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > MOST_DIGITS:
            line = node.start_mark.line + 1
            raise ParamsError(f"a number of {len(node.value)} digits in line {line}; expected a shorter one; change it")
        return self.construct_yaml_int(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ParamsError(f"key {key!r} stands twice, again in line {line}; keep one of them")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_StrictLoader.add_constructor("tag:yaml.org,2002:int", _StrictLoader.construct_short_int)


def read_yaml(path: Path) -> object:
    """Content of a YAML file in which no key stands twice and no alias.

    Raises:
        ParamsError: it cannot be read, or is not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _StrictLoader)  # noqa: S506
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read ({error}); expected a YAML file") from error
    except BROKEN as error:
        reason = " ".join(str(error).split())
        raise ParamsError(f"{path}: is not YAML ({reason}); mend the line that it names") from error
