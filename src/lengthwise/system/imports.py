"""Which part of a package imports which, as a drawing in Mermaid.

A part is a folder of the package, or a module beside the folders. The modules that import no folder are the ground:
one part, since everything else may import them.
"""

import ast
from collections.abc import Mapping
from functools import cache
from pathlib import Path

GROUND = "ground"


def imports_between_parts(package: Path) -> dict[str, set[str]]:
    """Find which other parts each part imports, anywhere in its modules.

    Args:
        package: folder of the package; its `__init__.py`, which offers the other modules, is left out.

    Returns:
        The imported parts, by part; sorted by name.
    """
    parts: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        if part != "__init__":
            parts[part] = parts.get(part, set()) | _imported_parts(path, package.name) - {part, "__init__"}
    ground = _ground_modules(package)
    named = {part: GROUND if part in ground else part for part in parts}
    joined: dict[str, set[str]] = {}
    for part, imported in parts.items():
        joined.setdefault(named[part], set()).update(named[one] for one in imported if one in named)
    return {part: joined[part] - {part} for part in sorted(joined)}


def without_detours(parts: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each import that a chain of others implies; in a circle of parts all imports stay.

    >>> without_detours({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'a': {'b'}, 'b': {'c'}, 'c': set()}
    """
    reached = {part: _reached(part, parts) for part in parts}
    return {
        part: imported - {one for other in imported if part not in reached[other] for one in reached[other] - {other}}
        for part, imported in parts.items()
    }


def drawing(package: Path, groups: Mapping[str, tuple[str, ...]]) -> str:
    """Draw the parts of a package and their imports as a Mermaid flowchart in a fenced block.

    Args:
        package: folder of the package.
        groups: names of parts that stand in one frame, by the frame's title. Parts that are in none stand alone.
    """
    imports = imports_between_parts(package)
    lines = ["```mermaid", "flowchart TD"]
    for number, (title, members) in enumerate(groups.items()):
        there = [part for part in members if part in imports]
        # A frame needs a name of its own: its title may be the name of a part.
        lines += [f'  subgraph frame{number}["{title}"]', *(f"    {_node(part, package)}" for part in there), "  end"]
    grouped = {part for members in groups.values() for part in members}
    lines += [f"  {_node(part, package)}" for part in imports if part not in grouped]
    for part, imported in without_detours(imports).items():
        lines += [f"  {part} --> {one}" for one in sorted(imported)]
    return "\n".join([*lines, "```"])


def _node(part: str, package: Path) -> str:
    if part != GROUND:
        return part
    return f'{GROUND}["{", ".join(sorted(_ground_modules(package)))}"]'


def _ground_modules(package: Path) -> set[str]:
    folders = {path.parent.name for path in package.glob("*/__init__.py")}
    own = {path.stem: set(_imported_parts(path, package.name)) for path in package.glob("*.py")}
    return {name for name in own if name != "__init__" and not _reached(name, own) & folders}


def _reached(part: str, parts: Mapping[str, set[str]]) -> set[str]:
    """All that a part imports, directly or not."""
    reached: set[str] = set()
    waiting = [part]
    while waiting:
        for one in parts.get(waiting.pop(), ()):
            if one not in reached:
                reached.add(one)
                waiting.append(one)
    return reached


def _imported_parts(path: Path, package: str) -> frozenset[str]:
    return _parts_imported_by(path.read_text(encoding="utf-8"), package)


@cache
def _parts_imported_by(source: str, package: str) -> frozenset[str]:
    parts = set()
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            root, _, rest = name.partition(".")
            if root == package and rest:
                parts.add(rest.partition(".")[0])
    return frozenset(parts)
