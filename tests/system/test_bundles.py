import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lengthwise.errors import FormatError
from lengthwise.system.bundles import read_bundle, write_bundle

LINES = st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])), max_size=5)
FIGURES = st.dictionaries(st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(st.sampled_from(["a.csv", "b/c.yaml", "d"]), LINES), FIGURES)
def test_bundle_gives_back_what_was_written(tmp_path_factory, lines, figures):
    path = tmp_path_factory.mktemp("bundle") / "bundle.json"
    texts = {name: "".join(f"{line}\n" for line in of_name) for name, of_name in lines.items()}
    write_bundle(path, {**texts, "figures.json": json.dumps(figures)})
    found = read_bundle(path, "mend it")
    assert json.loads(found.pop("figures.json")) == figures
    assert found == texts
    first = path.read_bytes()
    write_bundle(path, {**dict(reversed(texts.items())), "figures.json": json.dumps(figures)})
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "{", "[]", "3", "{}", '{"version": 2, "files": {}}', '{"version": 1}', "\\udcff"),
        *('{"version": 1, "files": []}', '{"version": 1, "files": {"a": 3}}', '{"version": 1, "files": {"a": [3]}}'),
    ],
)
def test_bundle_that_is_none_is_refused_in_one_line(tmp_path, text):
    path = tmp_path / "bundle.json"
    if text is not None:
        path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(FormatError, match="; mend it") as caught:
        read_bundle(path, "mend it")
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
