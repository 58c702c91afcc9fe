"""Pages of the site that are no files of this folder: those of the repository's root, and the API.

`mkdocs` calls `on_files` before it builds; see mkdocs.yml.
"""

import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import lengthwise

ROOT = Path(__file__).parents[1]
OF_ROOT = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
OF_ROOT |= {"MODEL_CARD.md": "model_card.md"}
# Which part of the API a module belongs to.
API = {
    "sequences": ("Sequences", ("core", "sources")),
    "batching": ("Strategies and training", ("batching", "advice")),
    "layers": ("Layers and cells", ("layers",)),
    "models": ("Trained networks", ("inference", "models")),
}

# Public names that are imported from a module of their own, and where they belong.
OTHERS = {"testing.check_batching": "batching", "testing.assert_batching": "batching"}


def on_files(files: Files, config: Any) -> Files:  # noqa: ANN401 - MkDocs's own.
    """Add the pages."""
    for name, page in OF_ROOT.items():
        files.append(File.generated(config, page, content=_from_root((ROOT / name).read_text("utf-8"))))
    notebook = json.loads((ROOT / "docs" / "article.ipynb").read_text("utf-8"))
    files.append(File.generated(config, "article.md", content=_of_notebook(notebook)))
    for part, (title, modules) in API.items():
        files.append(File.generated(config, f"api/{part}.md", content=_api(title, modules)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:  # noqa: ANN401
    """Lead to pages that stand elsewhere on the site; what is no page is named, and no link."""
    for name, moved in OF_ROOT.items():
        markdown = markdown.replace(f"](../{name}", f"]({moved}")
    if page.file.src_uri.startswith("api/"):
        return markdown
    return re.sub(r"(?<!!)\[`?([^\]`]+)`?\]\((?:\.\./)+[^)]*\)", r"`\1`", markdown)


def _from_root(text: str) -> str:
    """A page of the root, its links as they are from `docs/`."""
    text = re.sub(r"\[docs/(\w+)\.md\]", r"[\1]", text)
    text = re.sub(r"(\]\(|src=\")docs/", r"\1", text)
    for name, moved in OF_ROOT.items():
        text = text.replace(f"]({name}", f"]({moved}")
    return text


def _of_notebook(notebook: dict[str, Any]) -> str:
    """Its texts, its code, and what the code printed."""
    parts = []
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
        for output in cell.get("outputs", ()):
            lines = output.get("text") or output["data"]["text/plain"]
            parts.append(f"```text\n{''.join(lines).rstrip()}\n```")
    return "\n\n".join(parts) + "\n"


def _api(title: str, modules: tuple[str, ...]) -> str:
    """All public names that these modules define, classes and functions in the order of the alphabet."""
    names = [name for name, module in lengthwise._MODULES.items() if module.partition(".")[0] in modules]
    names = sorted(names, key=str.lower) + [name for name, module in OTHERS.items() if module in modules]
    return "\n\n".join([f"# {title}", *(f"::: lengthwise.{name}" for name in names)]) + "\n"
