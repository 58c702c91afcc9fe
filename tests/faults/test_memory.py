# What a stage needs does not grow with the corpus, by the peak that it reports itself.
import json
import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml

ROOT = Path(__file__).parents[2]
MEBIBYTE = 1 << 20
# Of generated text: two slices of documents, and eight.
SIZES = (8, 32)
POST_BYTES = 512
# Four times the corpus may need so much more.
GROWTH = 0.15
# Keeps every text that it comes by, as a stage that holds the corpus would.
LEAKS = {
    "ingest": ("lengthwise.corpora.ingest", "read_posts", "list(result)"),
    "tokens": ("lengthwise.prepare.text.by_rule", "read_texts", "result"),
}
LEAKING = """
import importlib, runpy, sys
name, function, kept = sys.argv[1:4]
sys.argv = sys.argv[4:]
module, held = importlib.import_module(name), []
call = getattr(module, function)
def leak(*arguments):
    result = call(*arguments)
    held.append(eval(kept))
    return held[-1]
setattr(module, function, leak)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Measured:
    """What a stage wrote and what it needed, in MiB."""

    out: Path
    peak: int


def run_stage(folder, name, source, leak=False, workers=1):
    """Run a stage script as DVC does, `ingest` with the source in its params; one worker is the process itself."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["ingest"]["source"] = str(source)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    out, timing = folder / f"{name}.out", folder / f"timing_{name}.json"
    read = [] if name == "ingest" else [str(source)]
    script = [str(ROOT / "stages" / f"{name}.py"), *read, str(out), str(folder / f"{name}.json"), str(timing)]
    runner = ["-c", LEAKING, *LEAKS[name]] if leak else []
    subprocess.run(
        [sys.executable, *runner, *script],
        cwd=folder,
        env={**os.environ, "LENGTHWISE_WORKERS": str(workers)},
        capture_output=True,
        check=True,
        timeout=1800,
    )
    return Measured(out, json.loads(timing.read_text(encoding="utf-8"))["peak_memory_mib"])


def write_corpus(path, mebibytes):
    """Posts of half a KiB of invented words, 256 an author: the same few hundred words, as most words are."""
    rng = np.random.default_rng(2)
    words = [f"w{number}" for number in range(800)]
    pool = [" ".join(rng.choice(words, POST_BYTES // 4).tolist())[:POST_BYTES] for _ in range(512)]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for author in range(mebibytes * MEBIBYTE // POST_BYTES // 256):
            texts = (f"{author} {pool[number]}" for number in rng.integers(0, len(pool), 256).tolist())
            posts = "".join(f"<date>01,May,2004</date>\n<post>\n{text}.\n</post>\n" for text in texts)
            archive.writestr(f"{1000 + author}.male.{14 + author % 2 * 11}.indUnk.Leo.xml", f"<Blog>\n{posts}</Blog>")
    return path


@pytest.fixture(scope="module")
def corpora(tmp_path_factory):
    """The zip and the documents of the small and of the large corpus, and what reading them needed."""
    made = []
    for size in SIZES:
        folder = tmp_path_factory.mktemp(f"corpus-{size}")
        source = write_corpus(folder / "blogs.zip", size)
        made.append((source, run_stage(folder, "ingest", source)))
    return made


def grows(small, large):
    """Whether what is needed grows with the corpus: by more than 15 %, or by half of what the corpus grew by."""
    return large > small * (1 + GROWTH) or large - small > (SIZES[1] - SIZES[0]) / 2


@pytest.mark.long
@pytest.mark.slow
def test_ingest_does_not_grow_with_the_corpus(corpora):
    small, large = (made.peak for _, made in corpora)
    assert not grows(small, large), (small, large)


@pytest.mark.long
@pytest.mark.slow
def test_tokens_does_not_grow_with_the_corpus(corpora, tmp_path):
    small, large = (run_stage(tmp_path, "tokens", made.out).peak for _, made in corpora)
    assert not grows(small, large), (small, large)


@pytest.mark.long
@pytest.mark.slow
def test_the_bound_notices_a_stage_that_holds_the_corpus(corpora, tmp_path):
    for name, sources in (("ingest", [zipped for zipped, _ in corpora]), ("tokens", [made.out for _, made in corpora])):
        small, large = (run_stage(tmp_path, name, source, leak=True).peak for source in sources)
        assert grows(small, large), (name, small, large)


@pytest.fixture(scope="module")
def blogs():
    if "LENGTHWISE_CORPUS" not in os.environ:
        pytest.skip("LENGTHWISE_CORPUS names no zip of the corpus")
    return Path(os.environ["LENGTHWISE_CORPUS"])


def write_part(path, blogs, count):
    with zipfile.ZipFile(blogs) as corpus, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as part:
        for name in sorted(name for name in corpus.namelist() if name.endswith(".xml"))[:count]:
            part.writestr(name, corpus.read(name))
    return path


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("workers", [1, 2])
def test_ingest_and_tokens_do_not_grow_with_real_text(blogs, tmp_path, workers):
    peaks = {"ingest": [], "tokens": []}
    for count in (250, 1000):
        read = run_stage(tmp_path, "ingest", write_part(tmp_path / f"{count}.zip", blogs, count))
        peaks["ingest"].append(read.peak)
        peaks["tokens"].append(run_stage(tmp_path, "tokens", read.out, workers=workers).peak)
    for name, (small, large) in peaks.items():
        assert large <= small * (1 + GROWTH), (name, small, large)
