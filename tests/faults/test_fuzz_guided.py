# A small coverage-guided fuzzer, and all that reads bytes from outside under it. An input that takes a reader along a
# new way, from one line to another, is kept and changed further. Everything depends on the seed alone.

import copy
import io
import json
import random
import resource
import signal
import sys
import types
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from lengthwise.corpora.blogs import author_files, authors, blog_source, csv_rows, decoding, posts
from lengthwise.corpora.blogs.author_files import name_parts, read_member
from lengthwise.corpora.blogs.authors import AgeBrackets
from lengthwise.corpora.blogs.blog_source import CsvFile, open_blogs
from lengthwise.corpora.blogs.csv_rows import RowReading, read_csv_rows
from lengthwise.errors import LengthwiseError, ParamsError
from lengthwise.pipeline.ablations import definitions
from lengthwise.pipeline.settings import conflicts, params, refusals
from lengthwise.prepare import vocabulary
from lengthwise.prepare.shards import reader, schema
from lengthwise.system import seals, strict_yaml
from lengthwise.system.seals import UNSEALED

BRACKETS = AgeBrackets({"10s": (13, 17), "20s": (23, 27), "30s": (33, 48)})
LIMIT = 1 << 12
LONGEST_INPUT = 1 << 13
# Of processor time, for one input: the machine may be busy, and the process stopped.
SECONDS = 20
MORE_MEMORY = 1 << 30
# Inputs in every run of the tests, and in the long version.
COUNTS = {
    "scanner": (400, 40_000),
    "csv": (300, 20_000),
    "zip": (300, 20_000),
    "yaml": (300, 20_000),
    "params": (100, 4_000),
    "ablations": (100, 4_000),
    "vocabulary": (200, 10_000),
    "index": (300, 20_000),
}
# What is put in the place of four bytes: sizes and counts that no honest header has.
NUMBERS = [
    value.to_bytes(8, "little")[:size] for value in (0, 1, 2**31 - 1, 2**32 - 1, 2**63, 2**64 - 1) for size in (2, 4, 8)
]


@dataclass
class Arcs:
    """The ways, from a line to the next, that have been taken within some modules."""

    files: frozenset[str]
    seen: set[tuple[str, int, int]] = field(default_factory=set)

    @contextmanager
    def traced(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def _enter(self, frame: types.FrameType, _event: str, _argument: object) -> Callable | None:
        file = frame.f_code.co_filename
        if file not in self.files:
            return None
        last = frame.f_lineno
        add = self.seen.add

        def follow(frame: types.FrameType, _event: str, _argument: object) -> Callable:
            nonlocal last
            line = frame.f_lineno
            add((file, last, line))
            last = line
            return follow

        return follow


def mutated(rng: random.Random, pool: list[bytes], words: list[bytes]) -> bytes:
    data = bytearray(rng.choice(pool))
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        place = rng.randrange(len(data) + 1)
        end = min(len(data), place + rng.choice((1, 1, 4, 16, 100)))
        other = rng.choice(pool)
        begin = rng.randrange(len(other) + 1)
        number = rng.choice(NUMBERS)
        change, new = rng.choice(
            (
                (slice(place, end), b""),
                (slice(place, place), data[place:end] * rng.choice((1, 2, 50))),
                (slice(place, place + 1), bytes([rng.randrange(256)])),
                (slice(place, place + 1), bytes([data[place] ^ 1 << rng.randrange(8)]) if place < len(data) else b""),
                (slice(place, place), rng.choice(words)),
                (slice(place, end), rng.choice(words)),
                (slice(place, place + len(number)), number),
                (slice(place, end), other[begin : begin + rng.choice((4, 30, 300))]),
                (slice(place, None), b""),
                (slice(place, None), other[begin:]),
            )
        )
        data[change] = new
    return bytes(data[:LONGEST_INPUT])


@contextmanager
def bounded() -> Iterator[Callable[[], None]]:
    """No more than so much memory in here, and so much time between two calls of what is given."""

    def hang(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s")

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    handler = signal.signal(signal.SIGPROF, hang)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MORE_MEMORY, hard))
    try:
        yield lambda: signal.setitimer(signal.ITIMER_PROF, SECONDS)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, handler)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def fuzz(
    run: Callable[[bytes], None], modules: list, seeds: list[bytes], words: list[bytes], count: int
) -> Counter[str]:
    """Run `count` inputs; whatever else than a refusal in one line comes of one is an error that shows it."""
    rng = random.Random(f"{run.__name__} {count}")
    arcs = Arcs(frozenset(module.__file__ for module in modules))
    pool, figures = list(seeds), Counter()
    with bounded() as restart:
        for number in range(count):
            data = seeds[number] if number < len(seeds) else mutated(rng, rng.choice((pool, seeds)), words)
            known = len(arcs.seen)
            restart()
            try:
                with arcs.traced():
                    run(data)
                figures["read"] += 1
            except LengthwiseError as error:
                message = str(error)
                assert message.isprintable(), (message, data)
                assert 20 < len(message) < 2100, (message, data)
                figures["refused"] += 1
            except BaseException as error:
                raise AssertionError(f"{error!r} of the input {data!r}") from error
            if len(arcs.seen) > known:
                pool.append(data)
                figures["kept"] += 1
    figures["arcs"] = len(arcs.seen)
    return figures


def scanner(data: bytes) -> None:
    counts: Counter[str] = Counter()
    found = list(posts.read_posts(data, counts))
    assert len(found) >= len(posts.OPEN_POST.findall(data))
    assert len(found) == sum(counts[f"documents_{name}"] for name in decoding.NAMES)
    assert not any(posts.CONTROL.search(post.text) or post.text != post.text.strip() for post in found)
    posts.is_well_formed(data)


def rows_of_csv(data: bytes) -> None:
    # Most changes would spoil the header, and nothing behind it would be seen.
    INPUT.write_bytes(data if data.startswith(b"id,") else CSV_HEADER + data)
    file = open_blogs(INPUT)
    for row in read_csv_rows(file, RowReading(BRACKETS, LIMIT)) if isinstance(file, CsvFile) else ():
        assert len(row.text) <= LIMIT


def zip_members(data: bytes) -> None:
    INPUT.write_bytes(data)
    source = open_blogs(INPUT)
    for member in () if isinstance(source, CsvFile) else source.members:
        assert len(read_member(source, member, LIMIT)) <= LIMIT
        authors.parse_author(name_parts(member), BRACKETS, member.place)


def yaml_text(data: bytes) -> None:
    INPUT.write_bytes(data)
    strict_yaml.read_yaml(INPUT)


def params_keys(data: bytes) -> None:
    # The input changes keys of otherwise good params: `train.epochs: many`.
    INPUT.write_bytes(data)
    changes = strict_yaml.read_yaml(INPUT)
    content = copy.deepcopy(PARAMS)
    for key, value in changes.items() if isinstance(changes, dict) else []:
        *sections, last = key.split(".", 3) if isinstance(key, str) else [key]
        place = content
        for section in sections:
            place = place[section] if isinstance(place.get(section), dict) else place
        place[last] = value
    params.check_params(content, INPUT)


def ablations_file(data: bytes) -> None:
    INPUT.write_bytes(data)
    read = definitions.load_ablations(INPUT, LEGAL)
    for name in read.ablations:
        # Only together with the params may it make no sense.
        with suppress(ParamsError):
            definitions.ablated(LEGAL, read, name)


def write_sealed(data: bytes) -> None:
    # Who makes a hostile file can seal it as well.
    INPUT.write_bytes(data)
    if seals.MARK in data and len(data) - data.rfind(seals.MARK) >= len(UNSEALED):
        seals.seal(INPUT)


def vocabulary_table(data: bytes) -> None:
    write_sealed(data)
    vocabulary.read_vocabulary(INPUT)


def shard_index(data: bytes) -> None:
    write_sealed(data)
    INPUT.rename(schema.INDEX_NAME)
    reader.read_index(Path())


def archive(method: int) -> bytes:
    with io.BytesIO() as stream:
        with zipfile.ZipFile(stream, "w", method) as seed:
            for name in ("blogs/7.male.25.Arts.Leo.xml", "../8.female.15.indUnk.Virgo.xml"):
                seed.writestr(zipfile.ZipInfo(name), BLOG * 3, method)  # Without the time of day.
        return stream.getvalue()


# Of every target: what reads an input, and the modules whose ways are followed.
READERS = {
    "scanner": (scanner, [posts]),
    "csv": (rows_of_csv, [csv_rows, blog_source, authors, posts]),
    "zip": (zip_members, [author_files, authors, zipfile]),
    "yaml": (yaml_text, [strict_yaml, yaml.constructor, yaml.resolver]),
    "params": (params_keys, [params, refusals, conflicts, strict_yaml]),
    "ablations": (ablations_file, [definitions, params, refusals, conflicts, strict_yaml]),
    "vocabulary": (vocabulary_table, [vocabulary, seals]),
    "index": (shard_index, [reader, schema, seals]),
}
INPUT = Path("input")  # In a folder of the test's own.
PARAMS = yaml.safe_load((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))
LEGAL = params.Params.model_validate(PARAMS)
KEYS = [f"{name}.{key}".encode() for name, keys in PARAMS.items() if isinstance(keys, dict) for key in keys]
CSV_HEADER = b"id,gender,age,topic,sign,date,text\n"
ROWS = b'7,male,25,Arts,Leo,"14,May,2004","a ""b"""\r\n8,female,15,a,b,,x\n'
BLOG = b"<Blog><date>1,May,2004</date><post>a &amp; b</post></Blog>"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
SEEDS = {
    "scanner": [BLOG, b"<post>"],
    "csv": [CSV_HEADER + ROWS, ROWS],
    "zip": [archive(method) for method in METHODS],
    "yaml": b"a: 1\nb: [x, {}]||'k': >\n  text||? [a, b]\n: 2001-01-01||a: &x 1||*x||{<<: {b: 2}}".split(b"||"),
    "params": b"train.epochs: many||split.test: 1e-3||ingest.blogs.age_brackets: {a: [1, 2], b: [3]}||"
    b"train.batching.strategy: packed||shards.max_length: null".split(b"||"),
    "ablations": [
        b"senseless: refuse\nseeds: [1, 2]\nablations:\n  full: {}\n  new: {train.model.units: 7, task: seq2seq}\n",
        b"senseless: leave_out\nablations: {full: {}, b: {train.batching.strategy: truncated}}\nseeds: [3]",
    ],
}
YAML_WORDS = b"""&a *a <<: ? - : [ ] { } ' " | > % @ # ~ .inf .nan 1e-3 0x1f 1:59:59 2001-01-01 !!int !!float !!bool
!!python/object/apply:os.system !!python/name:os.system !!timestamp !!binary !!set !!omap !!map !!seq""".split()
YAML_WORDS += [
    *b"\n||\n  ||: ||- ||\t||\0||---\n||0001-01-01 0:0:0 +9:00".split(b"||"),
    b"9" * 400,
    b"0x" + b"f" * 1200,
]
WORDS = {
    "scanner": b"""<Blog> </Blog> <post> </post> <date> </date> <date>1,May,2004</date> <!-- ]]> <![CDATA[ &amp; &#0;
    &#1114112; <!DOCTYPE <?xml encoding='x' \xff\xfe \0 \xe2\x80\xa8 \xed\xa0\x80""".split(),
    "csv": [*b'" "" , \' \0 male 999 id, \xff \xef\xbb\xbf \xd9\xa3'.split(b" "), b"\r", b"\n"],
    "zip": b"PK\1\2 PK\3\4 PK\5\6 PK\6\6 PK\6\7 ../ / \0".split(b" "),
    "yaml": YAML_WORDS,
    "params": [*YAML_WORDS, *KEYS],
    "ablations": [*YAML_WORDS, *KEYS, b"full", b"task", b"classifier", b"seq2seq", b"train.seed", b"train.model.units"],
    "vocabulary": [b"\t", b"\n", b"<PAD>", UNSEALED.encode(), b"\xff", b"\r"],
    "index": b'{ } [ ] , : "" "a" null true -1 1e999 1.5 "version" "splits" "train" "\\ud800" "shards"'.split(),
}


@pytest.fixture
def seeds(tmp_path, monkeypatch, corpus):
    monkeypatch.chdir(tmp_path)
    index = (corpus.shards / schema.INDEX_NAME).read_bytes()
    return {**SEEDS, "vocabulary": [corpus.vocabulary.read_bytes()], "index": [index]}


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param(name, count, id=f"{name}-{count}", marks=[pytest.mark.long] * (count == long))
        for name, (short, long) in COUNTS.items()
        for count in (short, long)
    ],
)
def test_reader_only_reads_or_refuses_in_one_line_whatever_bytes_come(seeds, name, count):
    figures = fuzz(*READERS[name], seeds[name], WORDS[name], count)
    print(json.dumps({"target": name, "inputs": count, **figures}))
    assert figures["kept"] > len(seeds[name])
    assert figures["read"]
    assert figures["refused"] or name == "scanner"


def test_fuzz_finds_what_stands_behind_several_conditions_and_shows_the_input(tmp_path):
    # The fuzzer itself: without its guidance this takes some hundred times as many inputs.
    source = tmp_path / "readers.py"
    source.write_text(
        "def read(data):\n"
        "    if data[:1] == b'b':\n"
        "        if data[1:2] == b'u':\n"
        "            if data[2:3] == b'g':\n"
        "                raise KeyError\n"
    )
    module = types.ModuleType("readers")
    module.__file__ = str(source)
    exec(compile(source.read_text(), str(source), "exec"), vars(module))
    with pytest.raises(AssertionError, match=r"KeyError.* of the input b'bug"):
        fuzz(module.read, [module], [b"...."], [bytes([letter]) for letter in b"abcdefghijklmnopqrstuvwxyz"], 30_000)


def test_fuzz_notices_a_reader_that_takes_all_memory_or_all_time(monkeypatch):
    def takes_memory(data: bytes) -> None:
        bytearray(2 * MORE_MEMORY)

    def takes_time(data: bytes) -> None:
        while True:
            pass

    with pytest.raises(AssertionError, match="MemoryError"):
        fuzz(takes_memory, [json], [b"a"], [b"x"], 1)
    monkeypatch.setattr(sys.modules[__name__], "SECONDS", 0.2)
    with pytest.raises(AssertionError, match="TimeoutError"):
        fuzz(takes_time, [json], [b"a"], [b"x"], 1)
