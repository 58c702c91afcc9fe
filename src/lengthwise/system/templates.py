"""Templates of pages and documents: Jinja2, escaped where they are HTML."""

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


def templates_of(package: str) -> Environment:
    """The templates that lie in a package.

    A name that a template lacks is a bug of ours: it raises instead of writing nothing.

    Args:
        package: its dotted name.
    """
    return Environment(
        loader=PackageLoader(package, "."),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
