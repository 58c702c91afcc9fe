"""YAML files in which no key stands twice."""

from pathlib import Path
from typing import Any

import yaml

from lengthwise.errors import ParamsError

# Python refuses to print a number of more than 4300 digits.
MOST_DIGITS = 1000
# What PyYAML raises for what is no YAML, and by mistake for a tag that does not fit its value, such as `!!int ''`.
BROKEN = (yaml.YAMLError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class _StrictLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win; we refuse both. And aliases: a line may stand for gigabytes."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            event: Any = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1
            raise ParamsError(f"alias *{event.anchor} in line {line}; expected the value itself; write it out")
        return super().compose_node(parent, index)

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
