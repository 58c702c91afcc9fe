import re
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from lengthwise.core.names import SPLITS
from lengthwise.corpora.blogs.author_files import MEBIBYTE, AuthorFile, name_parts
from lengthwise.corpora.blogs.authors import parse_author
from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.blogs.posts import is_utf8, is_well_formed
from lengthwise.corpora.blogs.sample import AUTHORS, DEFECTS, SEED, draw_authors, generate, main, write_sample
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.prepare.splits import SplitShares

COMMITTED = Path(__file__).parents[3] / "data" / "sample" / "blogs.zip"
BLOGS = Blogs(age_brackets={"10s": [13, 17], "20s": [23, 27], "30s": [33, 48]}, outside="refuse", quotes="doubled")
BRACKETS = BLOGS.brackets
FEW_AUTHORS = {"10s": 3, "20s": 2, "30s": 1}
# What each defect leaves in the bytes of a file.
TRACES = {
    "bare ampersands": rb"&(?![#a-z]+[0-9]*;)",
    "undeclared entities": rb"&nbsp;|&eacute;",
    "declared entities": rb"&amp;|&quot;|&lt;|&#151;",
    "angle brackets": rb"<3|< |<>",
    "control characters": rb"[\x00-\x08\x0b\x0c\x0e-\x1f]",
    "C1 characters": rb"\xc2[\x80-\x9f]",
    "replacement characters": "\ufffd".encode(),
    "non-breaking spaces": "\u00a0".encode(),
    "tabs and several blanks": rb"[a-z](  |\t)[a-z]",
    "links": rb" urlLink [a-z]",
    "repeats": rb"sooooo|\.{5}|!{5}|nooooo",
    "no white space": rb"\S{400}",
    "curly quotes": "’|“|”".encode(),
    "very long posts": rb"<post>[^<]{19000}",
    "Windows-1252": rb"[a-z]\x92[a-z]",
    "Latin-1": rb" \x81\r",
    "empty posts": rb"<post>\s*</post>",
    "posts twice": rb"(?s)<post>([^<]{40,})</post>(?=.*<post>\1</post>)",
    "chain letters": rb"send this to ten of you",
    "missing dates": rb"(<Blog>|</post>)\s*<post>",
    "posts closed twice": rb"</post>\s*</post>",
    "posts never closed": rb"(?s)<post>((?!</post>).)*<post>",
    "no end": rb"</post>\s*\Z",
}


@pytest.fixture(scope="module")
def sample() -> dict[str, bytes]:
    return generate(SEED)


@pytest.fixture(scope="module")
def counts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    return ingest(BLOGS, Extract(COMMITTED, MEBIBYTE), tmp_path_factory.mktemp("sample") / "documents.parquet")


@pytest.fixture
def few_authors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lengthwise.corpora.blogs.sample.AUTHORS", FEW_AUTHORS)


@pytest.mark.usefixtures("few_authors")
def test_sample_has_the_same_bytes_for_the_same_seed(tmp_path: Path) -> None:
    write_sample(tmp_path / "a.zip", 7)
    main([str(tmp_path / "b.zip"), "--seed", "7"])
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


@pytest.mark.usefixtures("few_authors")
def test_sample_has_other_bytes_for_another_seed() -> None:
    one, other = generate(7), generate(8)
    assert len(one) == len(other) == 2 * sum(FEW_AUTHORS.values())
    assert not set(one.values()) & set(other.values())


def test_sample_is_what_is_committed(sample: dict[str, bytes]) -> None:
    with zipfile.ZipFile(COMMITTED) as archive:
        assert archive.namelist() == list(sample)
        assert {name: archive.read(name) for name in archive.namelist()} == sample


def test_sample_has_fixed_times_and_permissions() -> None:
    with zipfile.ZipFile(COMMITTED) as archive:
        kinds = {(info.date_time, info.external_attr, info.compress_type) for info in archive.infolist()}
    assert kinds == {((1980, 1, 1, 0, 0, 0), 0o644 << 16, zipfile.ZIP_DEFLATED)}


def test_sample_is_small() -> None:
    assert COMMITTED.stat().st_size <= 1_000_000


def test_sample_keeps_every_post_through_ingest(sample: dict[str, bytes], counts: dict[str, int]) -> None:
    assert counts["documents"] == sum(data.count(b"<post>") for data in sample.values())
    assert counts["authors"] == counts["files"] == len(sample) == 2 * sum(AUTHORS.values())


def test_sample_has_every_kind_of_repair(counts: dict[str, int]) -> None:
    # What nobody has seen in the real corpus, and what is only counted of other forms of it.
    others = {"repaired_cdata", "rows", "files_without_posts", "files_unknown_encoding", "files_passed_over"}
    others |= {f"documents_{name}" for name in ("cesu8", "declared", "wide")}
    others |= {f"{what}_{why}" for what in ("files", "documents") for why in ("outside", "not_drawn")}
    assert {name for name, count in counts.items() if not count} == {*others, "authors_outside"}


def test_sample_has_every_defect_in_several_files(sample: dict[str, bytes]) -> None:
    assert set(TRACES) == set(DEFECTS)
    found = Counter(name for name, trace in TRACES.items() for data in sample.values() if re.search(trace, data))
    assert {name for name in TRACES if found[name] < 3} <= {"very long posts"}
    assert found["very long posts"]


@pytest.mark.parametrize("text", [":-)", ":(", "^_^", "don't", "it's", " 10", "6:20", " ten ", ",mars,", ",March,"])
def test_sample_has_everyday_text(sample: dict[str, bytes], text: str) -> None:
    assert sum(text.encode() in data for data in sample.values()) >= 3


def test_sample_is_as_broken_as_the_real_corpus(sample: dict[str, bytes]) -> None:
    malformed = sum(not is_well_formed(data)[0] for data in sample.values())
    assert 0.5 < malformed / len(sample) < 0.7
    assert 0.02 < sum(not is_utf8(data) for data in sample.values()) / len(sample) < 0.05


@pytest.mark.usefixtures("few_authors")
def test_sample_has_well_formed_files_where_nothing_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lengthwise.corpora.blogs.sample.DEFECTS", {})
    assert all(is_well_formed(data)[0] for data in generate(7).values())


def test_sample_has_five_authors_of_each_class_in_the_test_split(sample: dict[str, bytes]) -> None:
    authors = [parse_author(name_parts(AuthorFile(name, Path(name).name, 0)), BRACKETS, name) for name in sample]
    drawn = {str(number): (gender, bracket) for number, gender, bracket in draw_authors(SEED)}
    assert {author.author_id: author.codes for author in authors} == drawn
    splits = SplitShares(0.1, 0.1, 1).assign(author.author_id for author in authors)
    tested = Counter(a.codes for a, split in zip(authors, splits, strict=True) if SPLITS[split] == "test")
    assert len(tested) == 6
    assert min(tested.values()) >= 5
