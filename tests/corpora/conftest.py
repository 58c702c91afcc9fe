import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lengthwise.corpora.blogs.authors import AgeBrackets
from lengthwise.corpora.blogs.form import Blogs

CSV_HEADER = b"id,gender,age,topic,sign,date,text\n"


@pytest.fixture(scope="session")
def blogs() -> Blogs:
    return Blogs(age_brackets={"10s": [13, 17], "20s": [23, 27], "30s": [33, 48]}, outside="refuse", quotes="doubled")


@pytest.fixture(scope="session")
def brackets() -> AgeBrackets:
    return AgeBrackets({"10s": (13, 17), "20s": (23, 27), "30s": (33, 48)})


@pytest.fixture(scope="session")
def blog() -> Callable[..., bytes]:
    def build(*posts: bytes, date: bytes = b"14,May,2004") -> bytes:
        elements = [b"<date>" + date + b"</date>\r\n<post>" + post + b"</post>\r\n" for post in posts]
        return b"<Blog>\r\n\r\n" + b"\r\n".join(elements) + b"\r\n</Blog>"

    return build


@pytest.fixture(scope="session")
def write_zip() -> Callable[..., Path]:
    def write(path: Path, members: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
        with zipfile.ZipFile(path, "w", compression) as archive:
            for name, data in members.items():
                archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
        return path

    return write


@pytest.fixture(scope="session")
def write_folder() -> Callable[..., Path]:
    def write(path: Path, members: Mapping[str, bytes]) -> Path:
        for name, data in members.items():
            file = path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        return path

    return write


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    def write(path: Path, *rows: tuple[bytes, ...]) -> Path:
        lines = [b",".join(b'"' + field.replace(b'"', b'""') + b'"' for field in row) + b"\r\n" for row in rows]
        path.write_bytes(CSV_HEADER + b"".join(lines))
        return path

    return write
