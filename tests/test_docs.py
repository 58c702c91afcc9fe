# What the documents name is there, and they are of a form that can be read in a terminal.
import re
from pathlib import Path

import pytest

import lengthwise
from lengthwise.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    {*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "data" / "README.md", *(ROOT / ".github").rglob("*.md")}
)
MOST_COLUMNS = 120
README_LINES = 150
# Folders that are in Git; data, metrics and results also have what runs write.
FOLDERS = r"(?:src|tests|docs|stages|benchmarks|sweeps|ablations|\.github)"
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
GENERATED = re.compile(r"^<!-- ([\w-]+): written by .*?^<!-- /\1 -->$", re.DOTALL | re.MULTILINE)

by_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(text):
    """Lines that are no code, no table, no generated block and no picture."""
    lines = GENERATED.sub("", FENCED.sub("", text)).splitlines()
    return [line for line in lines if not line.startswith(("    ", "|", "<img", "<!--"))]


def codes(text):
    """What stands between backticks, and lines of code."""
    return [*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^ {4}(.*)$", text, re.MULTILINE)]


def test_changelog_has_the_version_of_the_package():
    released = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert ".".join(lengthwise.__version__.split(".")[:3]) in released


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= README_LINES


@by_page
def test_pages_have_no_line_that_is_too_long(page):
    # The card is generated as a whole.
    if page.name != "MODEL_CARD.md":
        assert [line for line in prose(page.read_text("utf-8")) if len(line) > MOST_COLUMNS] == []


@by_page
def test_pages_link_to_files_and_headings_that_are_there(page):
    text = page.read_text("utf-8")
    for target in [*re.findall(r"\]\(([^):\s]+)\)", text), *re.findall(r'src="([^":]+)"', text)]:
        name, _, anchor = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            assert anchor in [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings], target


@by_page
def test_pages_name_files_that_are_there(page):
    for text in codes(page.read_text("utf-8")):
        for name in re.findall(rf"(?<![\w./~<-]){FOLDERS}/[\w./<>*-]*", text):
            # A word in capitals stands for any name; what a run writes is not there.
            if not re.search(r"[<>*]|\b[A-Z]{2,}\b(?!\.md)|\.\.\.", name):
                assert (ROOT / name.rstrip(".")).exists(), name


@by_page
def test_pages_name_modules_that_are_there(page):
    # A changelog names what is gone.
    if page.name == "CHANGELOG.md":
        return
    for text in codes(page.read_text("utf-8")):
        for name in re.findall(r"(?<![\w./-])lengthwise(?:\.[A-Za-z_]\w*)+", text):
            path, rest = ROOT / "src" / "lengthwise", name.split(".")[1:]
            while rest and ((path / rest[0]).is_dir() or (path / f"{rest[0]}.py").is_file()):
                path /= rest.pop(0)
            module = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            assert not rest or re.search(rf"\b{rest[0]}\b", module.read_text("utf-8")), name


@by_page
def test_pages_name_commands_that_are_there(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    commands = {command.callback.__name__ for command in app.registered_commands}
    for text in codes(page.read_text("utf-8")):
        command = re.match(r"(?:watch |\$ )?(?:\w+=\S+ )*(make|lengthwise) ([a-z]+)\b(?!=)", text)
        if command:
            assert command[2] in (targets if command[1] == "make" else commands), text


def test_every_issue_of_the_field_has_a_test():
    text = (ROOT / "docs" / "field.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| [")]
    assert len(lines) >= 30
    for line in [*lines, *(line for line in text.splitlines() if "::" in line)]:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", line)
        assert named, line
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text("utf-8"), f"{file}::{test}"
