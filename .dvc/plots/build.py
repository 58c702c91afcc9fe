"""Make page.html, which DVC's plots are shown in: page_source.html with the scripts that draw them.

    npm install --prefix /tmp/vega vega@5.33.1 vega-lite@5.23.0 vega-embed@6.29.0
    python .dvc/plots/build.py /tmp/vega/node_modules

DVC's own page loads these scripts from a server; with this one plots open without a network.
"""

import json
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LIBRARIES = ("vega", "vega-lite", "vega-embed")
MARKER = "<!-- LIBRARIES -->"
# Some packages of Vega leave their licence out; it is the same in all.
LICENCE_OF_VEGA = "vega-view"


def build(modules: Path) -> str:
    """The page, with the scripts and the licences of all that they are made of."""
    scripts = []
    for name in LIBRARIES:
        text = (modules / name / "build" / f"{name}.min.js").read_text(encoding="utf-8")
        # A map would be looked for beside the page.
        text = re.sub(r"\n//# sourceMappingURL=.*", "", text).strip()
        if re.search(r"</script|<!--|\{(scripts|plot_divs|refresh_tag)\}", text):
            sys.exit(f"{name}: has a text that would end the script or that DVC would replace")
        scripts.append(f"<script>\n{text}\n</script>")
    page = (FOLDER / "page_source.html").read_text(encoding="utf-8")
    return page.replace(MARKER, "\n".join([f"<!--\n{_licences(modules)}\n-->", *scripts]))


def _licences(modules: Path) -> str:
    """Each licence once, with the packages that it is of."""
    by_text: dict[str, list[str]] = {}
    for name in sorted(_bundled(modules)):
        folders = [modules / name] + ([modules / LICENCE_OF_VEGA] if name.startswith("vega") else [])
        file = next(path for folder in folders for path in sorted(folder.iterdir()) if path.stem.lower() == "license")
        version = json.loads((modules / name / "package.json").read_text(encoding="utf-8"))["version"]
        text = file.read_text(encoding="utf-8").replace("--", "- -").strip()
        by_text.setdefault(text, []).append(f"{name} {version}")
    return "\n\n".join(f"{', '.join(names)}:\n\n{text}" for text, names in by_text.items())


def _bundled(modules: Path) -> set[str]:
    """The packages whose code is in the scripts, as their source maps say."""
    names = set(LIBRARIES)
    for name in LIBRARIES:
        sources = json.loads((modules / name / "build" / f"{name}.min.js.map").read_text(encoding="utf-8"))["sources"]
        for source in sources:
            part = re.search(r"node_modules/([^/]+)/|/(vega-[a-z-]+)/", source)
            names |= {part[1] or part[2]} if part else set()
    return {name for name in names if (modules / name).is_dir()}


if __name__ == "__main__":
    (FOLDER / "page.html").write_text(build(Path(sys.argv[1])), encoding="utf-8")
