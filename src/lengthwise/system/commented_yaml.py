"""The keys of a YAML file with the comments that stand above them: what a params file says of itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from lengthwise.errors import FormatError

# A longer default says how much there is of it.
LONGEST_DEFAULT = 60


@dataclass(frozen=True)
class CommentedKey:
    """A key of a params file: its dotted name, its default as it is written, its comment."""

    name: str
    default: str
    comment: str


def read_keys(params: Path) -> list[CommentedKey]:
    """The keys of a params file with the comments right above them.

    A key without a comment has that of the key above it, which speaks of both. A map with a comment, or without keys,
    is one key, another map a section of keys.

    Raises:
        FormatError: the file cannot be read or is no map.
    """
    try:
        text = params.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise FormatError(f"{params}: cannot be read; expected params; check it out again") from error
    except yaml.YAMLError as error:
        raise FormatError(f"{params}: is not YAML; expected params; mend it") from error
    if not isinstance(root, yaml.MappingNode):
        raise FormatError(f"{params}: is no map; expected params; mend it")
    return list(_keys(root, "", text))


def _keys(node: yaml.MappingNode, prefix: str, text: str) -> Iterator[CommentedKey]:
    lines = text.splitlines()
    comment = ""
    for key, value in node.value:
        above = _comment_above(lines, key.start_mark.line)
        comment = above or comment
        name = f"{prefix}{key.value}"
        if isinstance(value, yaml.MappingNode) and value.value and not above:
            yield from _keys(value, f"{name}.", text)
        else:
            yield CommentedKey(name, _written(value, text), comment)


def _comment_above(lines: list[str], line: int) -> str:
    first = line
    while first > 0 and lines[first - 1].lstrip().startswith("#"):
        first -= 1
    return " ".join(part.strip().removeprefix("#").strip() for part in lines[first:line])


def _written(value: yaml.Node, text: str) -> str:
    written = _in_one_line(value, text)
    return written if len(written) <= LONGEST_DEFAULT else f"{len(value.value)} entries"


def _in_one_line(value: yaml.Node, text: str) -> str:
    """A value as the file has it, blocks in one line, and null for nothing, which is how DVC writes it."""
    if isinstance(value, yaml.MappingNode):
        return "{" + ", ".join(f"{key.value}: {_in_one_line(inner, text)}" for key, inner in value.value) + "}"
    if isinstance(value, yaml.SequenceNode):
        return "[" + ", ".join(_in_one_line(inner, text) for inner in value.value) + "]"
    written = " ".join(text[value.start_mark.index : value.end_mark.index].split())
    return written or "null"
