"""Examples of docstrings as code on the site, where they stand without a heading of their own; see mkdocs.yml."""

import griffe


class Examples(griffe.Extension):
    """Fences every block of lines that begins with `>>>`."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Change what the site shows of an object."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """A docstring whose examples are fenced: blocks of lines that begin with `>>>`, each up to an empty line."""
    lines: list[str] = []
    within = False
    for line in [*text.splitlines(), ""]:
        if not within and line.startswith(">>>"):
            lines.append("```pycon")
            within = True
        elif within and not line.strip():
            lines.append("```")
            within = False
        lines.append(line)
    return "\n".join(lines[:-1])
