"""Many small text files as one JSON file that a person can read, and of which Git shows what has changed.

    {
     "files": {
      "metrics/ingest.json": {"authors": 12},
      "params.yaml": ["split:", "  by: author"]
     },
     "version": 1
    }

A JSON file is kept as what it says, any other as its lines.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from lengthwise.errors import FormatError
from lengthwise.system.files import replacing_file

VERSION = 1


def write_bundle(path: Path, texts: Mapping[str, str]) -> None:
    """Write the bundle, replacing the one that may be there.

    Args:
        path: of the bundle.
        texts: the contents by their names, whole lines; a name that ends with `.json` has JSON.
    """
    files = {name: _kept(name, text) for name, text in texts.items()}
    with replacing_file(path) as beside:
        content = json.dumps({"version": VERSION, "files": files}, indent=1, sort_keys=True, ensure_ascii=False)
        beside.write_text(content + "\n", encoding="utf-8")


def read_bundle(path: Path, mend: str) -> dict[str, str]:
    """The contents of the files of a bundle, by their names.

    Args:
        path: of the bundle.
        mend: what to do where it is damaged.

    Raises:
        FormatError: it is absent, of another version, or no bundle.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FormatError(f"{path}: cannot be read ({reason}); expected the record of a run; {mend}") from error
    version = content.get("version") if isinstance(content, dict) else None
    if version != VERSION or not isinstance(content.get("files"), dict):
        raise FormatError(f"{path}: has version {version!r:.20}; expected {VERSION}, with files; {mend}")
    texts = {}
    for name, kept in content["files"].items():
        if not isinstance(kept, dict) and not (isinstance(kept, list) and all(isinstance(line, str) for line in kept)):
            raise FormatError(f"{path}: {name}: got {kept!r:.40}; expected a map or a list of lines; {mend}")
        texts[name] = json.dumps(kept) if isinstance(kept, dict) else "".join(f"{line}\n" for line in kept)
    return texts


def _kept(name: str, text: str) -> object:
    if name.endswith(".json"):
        return json.loads(text)
    return text.removesuffix("\n").split("\n") if text else []
