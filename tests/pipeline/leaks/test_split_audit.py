"""An audit of data of which it is known what leaks."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from lengthwise.cli.app import main
from lengthwise.evaluation.item_table import LevelScores, write_item_scores
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.pipeline.leaks.split_audit import audit_split
from lengthwise.prepare.shards.reader import read_index, read_split
from lengthwise.prepare.splits import read_splits

BOOTSTRAP = Bootstrap(400, 0.95, 1)
LEAKED, CLEAN = 0.95, 0.6


@pytest.fixture(scope="module")
def corpus(tmp_path_factory, write_corpus, invent_posts, make_shards):
    """Split by document: some authors on both sides, and every tenth post a copy of that before it."""
    posts = [post for post in invent_posts(5, 500, most_posts=2, most_tokens=30) if sum(map(len, post.sentences)) > 20]
    for number in range(9, len(posts), 10):
        posts[number] = replace(posts[number], sentences=posts[number - 1].sentences)
    return make_shards(write_corpus(tmp_path_factory.mktemp("audited") / "data", posts), by="document", unit="document")


@pytest.fixture(scope="module")
def known(corpus):
    """By hand: which documents are in the test, of those whose author is in training, and whose text is."""
    split = np.concatenate(list(read_splits(corpus.split)))
    first = np.cumsum([0, *(len(post.sentences) for post in corpus.posts)])[:-1]
    of = split[first]
    training = [post for post, side in zip(corpus.posts, of, strict=True) if side == 0]
    authors, texts = {post.author for post in training}, [post.sentences for post in training]
    test = [post for post, side in zip(corpus.posts, of, strict=True) if side == 2]
    return test, [post.author in authors for post in test], [post.sentences in texts for post in test]


def test_audit_finds_the_groups_and_the_copies_that_are_there(corpus, known):
    test, of_author, of_text = known
    found = audit_split(corpus.folder.parent, 0.8, BOOTSTRAP)
    assert (found.items, found.groups, found.test) == ("documents", "authors", len(test))
    assert found.groups_on_both_sides == len(
        {post.author for post, there in zip(test, of_author, strict=True) if there}
    )
    assert found.of_known_groups == sum(of_author)
    assert found.copies == sum(of_text) > 0
    assert found.copies <= found.near_copies < found.copies + 5
    assert found.clean <= len(test) - sum(map(max, zip(of_author, of_text, strict=True)))
    assert not found.gains
    text = found.to_text()
    assert "authors on both sides" in text
    assert max(map(len, text.splitlines())) <= 100


def test_audit_says_within_its_interval_what_leaks_pretend(corpus, known, tmp_path):
    test, of_author, of_text = known
    project = tmp_path / "project"
    shutil.copytree(corpus.folder, project / "data")
    leaked = np.array(of_author) | np.array(of_text)
    sequences = read_split(corpus.shards, read_index(corpus.shards), "test")
    _, first = np.unique(sequences["document"], return_index=True)
    group = sequences["group"][first]
    folder = project / "data" / "figures" / "evaluate" / "classifier"
    folder.mkdir(parents=True)
    inside = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        right = (rng.random(len(test)) < np.where(leaked, LEAKED, CLEAN)).astype(float)
        write_item_scores(folder / "items.parquet", [LevelScores("document", group, {"accuracy": right})])
        (gain,) = audit_split(project, 0.8, BOOTSTRAP).gains
        assert (gain.model, gain.metric, gain.whole) == ("classifier", "accuracy", right.mean())
        pretended = leaked.mean() * (LEAKED - CLEAN)
        inside += gain.low <= pretended <= gain.high
    assert inside >= 34


def test_audit_by_group_of_a_corpus_without_copies_finds_nothing(tmp_path, write_corpus, invent_posts, make_shards):
    posts = [post for post in invent_posts(6, 60, most_tokens=30) if sum(map(len, post.sentences)) > 20]
    made = make_shards(write_corpus(tmp_path / "data", posts))
    found = audit_split(tmp_path, 0.8, BOOTSTRAP)
    assert (found.groups_on_both_sides, found.of_known_groups, found.copies) == (0, 0, 0)
    assert found.clean == found.test - found.near_copies
    assert found.near_copies > 0 or "nothing leaks" in found.to_text()
    assert made.shards.exists()


def test_audit_command_writes_text_or_json(corpus, root, tmp_path, monkeypatch, capsys):
    shutil.copytree(corpus.folder, tmp_path / "data")
    shutil.copy(root / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    main(["audit", "--json"])
    content = json.loads(capsys.readouterr().out)
    assert content["copies"] > 0
    main(["audit", "--near", "0.9"])
    assert "alike to 0.9" in capsys.readouterr().out
    (tmp_path / "data" / "split.parquet").write_bytes(b"PAR1")
    with pytest.raises(SystemExit) as ended:
        main(["audit"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
