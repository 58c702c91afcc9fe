"""ablation_code: write the digests of code, so that a hundred stages depend on one file."""

import argparse
from pathlib import Path

from lengthwise.files import file_digest, write_json

SUFFIXES = (".cc", ".h", ".py")


def main() -> None:
    """Write the file `out`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT", help="JSON file, by path")
    parser.add_argument("paths", type=Path, nargs="+", metavar="PATH", help="a file, or a folder of them")
    arguments = parser.parse_args()
    files = {file for path in arguments.paths for file in ([path] if path.is_file() else path.rglob("*"))}
    write_json(arguments.out, {str(file): file_digest(file) for file in files if file.suffix in SUFFIXES})


if __name__ == "__main__":
    main()
