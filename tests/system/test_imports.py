import pytest

from lengthwise.system.imports import drawing, imports_between_parts, without_detours

FILES = {
    "__init__.py": "from made.heart import Heart\n",
    "words.py": "import json\n",
    "errors.py": "from made.words import x\n",
    "tool.py": "from made.heart.beat import y\n",
    "heart/__init__.py": '"""Heart."""\n',
    "heart/beat.py": "from made.errors import z\nimport made.heart.other\n",
    "cover/__init__.py": "",
    "cover/page.py": "from made.words import x\n\n\ndef late():\n    from made import tool\n",
}


@pytest.fixture
def package(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "made"


def test_imports_are_those_of_folders_late_ones_too_and_the_ground_is_one_part(package):
    assert imports_between_parts(package) == {
        "cover": {"ground", "tool"},
        "ground": set(),
        "heart": {"ground"},
        "tool": {"heart"},
    }


def test_imports_that_a_chain_implies_are_left_out_and_circles_stay():
    assert without_detours({"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}) == {
        "a": {"b"},
        "b": {"c"},
        "c": {"d"},
        "d": set(),
    }
    circle = {"a": {"b", "c"}, "b": {"a", "c"}, "c": set()}
    assert without_detours(circle) == circle


def test_drawing_has_every_part_once_and_an_arrow_for_each_import_without_detours(package):
    assert drawing(package, {"inner": ("heart", "ground", "nothing")}).splitlines() == [
        "```mermaid",
        "flowchart TD",
        '  subgraph frame0["inner"]',
        "    heart",
        '    ground["errors, words"]',
        "  end",
        "  cover",
        "  tool",
        "  cover --> tool",
        "  heart --> ground",
        "  tool --> heart",
        "```",
    ]
