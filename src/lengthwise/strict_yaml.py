"""YAML files in which no key stands twice."""

from pathlib import Path
from typing import Any

import yaml

from lengthwise.errors import ParamsError


class _UniqueKeyLoader(yaml.SafeLoader):
    """PyYAML lets the last of two equal keys win; we refuse both."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[object] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise ParamsError(f"key {key!r} stands twice, again in line {line}; keep one of them")
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def read_yaml(path: Path) -> object:
    """Content of a YAML file in which no key stands twice.

    Raises:
        ParamsError: it cannot be read, or is not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), _UniqueKeyLoader)  # noqa: S506
    except ParamsError as error:
        raise ParamsError(f"{path}: {error}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ParamsError(f"{path}: cannot be read ({error}); expected a YAML file") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ParamsError(f"{path}: is not YAML ({reason}); mend the line that it names") from error
