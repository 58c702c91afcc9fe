import tomllib
from fnmatch import fnmatch

import pytest
from jinja2 import UndefinedError

from lengthwise.reports.page.section import Frame, PageSection, page, part


def test_page_escapes_all_but_charts_and_blocks():
    hostile = "<b>&\"'"
    text = page(
        Frame(hostile, hostile, hostile, hostile, hostile),
        [PageSection("key", hostile, [hostile], ["<svg></svg>"], code=hostile, blocks=["<hr>"])],
    )
    assert "<b>" not in text
    assert text.count("&lt;b&gt;&amp;&#34;&#39;") == 10
    assert "<figure>\n<svg></svg>\n</figure>" in text
    assert "<hr>" in text


def test_part_rejects_what_a_template_lacks():
    with pytest.raises(UndefinedError):
        part("tables", tables=[("title", ["column"], [(object(), ["cell"])])])


def test_templates_are_installed_with_the_package(root):
    declared = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = declared["tool"]["setuptools"]["package-data"]["lengthwise.reports.page"]
    folder = root / "src" / "lengthwise" / "reports" / "page"
    files = [path.name for path in folder.iterdir() if path.is_file() and path.suffix != ".py"]
    assert len(files) == 3
    assert all(any(fnmatch(name, pattern) for pattern in patterns) for name in files)
