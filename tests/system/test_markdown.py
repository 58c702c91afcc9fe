import re

import pytest

from lengthwise.errors import FormatError
from lengthwise.system.markdown import code, table, with_blocks


def test_table_has_as_many_cells_a_line_whatever_is_in_them():
    text = table(("a", "b"), [("x | y\nz", "`p | q`"), ("becomes <url>", "`<task>`")])
    lines = text.splitlines()
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {3}
    assert "&lt;url>" in lines[3]
    assert "`<task>`" in lines[3]


def test_code_of_nothing_is_nothing():
    assert code("") == ""
    assert code("x") == "`x`"


def test_with_blocks_replaces_its_blocks_and_nothing_else(tmp_path):
    path = tmp_path / "a.md"
    path.write_text(
        "before\n<!-- one: made -->\nold\n<!-- /one -->\nbetween\n<!-- two: made -->\n<!-- /two -->\nafter\n"
    )
    text = with_blocks(path, {"one": r"new \1 \g<0>"})
    made = "<!-- one: made -->\n\nnew \\1 \\g<0>\n\n<!-- /one -->"
    assert text == f"before\n{made}\nbetween\n<!-- two: made -->\n<!-- /two -->\nafter\n"
    path.write_text(text)
    assert with_blocks(path, {"one": r"new \1 \g<0>"}) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<!-- one: made -->\n",
        "<!-- /one -->\n<!-- one: made -->\n",
        "<!-- one: made -->\n<!-- /one -->\n<!-- one: made -->\n<!-- /one -->\n",
    ],
)
def test_with_blocks_refuses_a_block_that_is_not_there_once(tmp_path, text):
    path = tmp_path / "a.md"
    path.write_text(text)
    with pytest.raises(FormatError, match=r"a\.md: the block 'one' is not there once"):
        with_blocks(path, {"one": "new"})


def test_with_blocks_names_a_document_that_is_absent(tmp_path):
    with pytest.raises(FormatError, match=r"none\.md: cannot be read"):
        with_blocks(tmp_path / "none.md", {})
