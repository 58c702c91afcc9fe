# The site of the documentation: it builds, has all of the API, and loads nothing from elsewhere.
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lengthwise as lw

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in folder.rglob("*.html")}


def test_site_has_every_page_and_every_public_name_once(site):
    assert {f"{page.stem}.html" for page in (ROOT / "docs").glob("*.md")} <= set(site)
    headings = [name for page in site.values() for name in re.findall(r'<h2 id="lengthwise\.(\w+)"', page)]
    assert sorted(headings) == sorted(set(lw.__all__) - {"__version__"})


def test_site_shows_examples_as_code(site):
    for name, page in site.items():
        # Markdown takes the signs of an example for a quotation.
        assert "<blockquote>" not in page, name


def test_site_loads_nothing_from_elsewhere(site):
    for name, page in site.items():
        loaded = re.findall(r"<(?:script|img|iframe)[^>]* src=\"?([^\" >]+)", page)
        loaded += re.findall(r"<link[^>]* rel=\"?(?:stylesheet|preconnect)[^>]* href=\"?([^\" >]+)", page)
        assert loaded, name
        assert not [place for place in loaded if re.match(r"(https?:)?//", place)], name
