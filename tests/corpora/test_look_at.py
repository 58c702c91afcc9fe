"""What `lengthwise look` understands is what the stage ingest then reads."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from lengthwise.cli.app import main
from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.ingest import ingest
from lengthwise.corpora.look_at import look_at
from lengthwise.errors import CorpusError
from lengthwise.pipeline.settings.params import check_params

LIMIT = 1 << 20
# Invented rows: enough that classes come again.
WORDS = ("ham", "spam")
TABS = "".join(f'{WORDS[i % 2]}\t"Half a quote of message {i}\n' for i in range(8))
COMMAS = "v1,v2,,\n" + "".join(f"{WORDS[i % 2]},Caf\xe9 number {i} is open,,\n" for i in range(8))
PHRASES = "PhraseId\tSentenceId\tPhrase\tSentiment\n" + "".join(
    f"{i}\t{i // 2}\tsome words {i}\t{i % 3}\n" for i in range(9)
)
LINES = "".join(json.dumps({"text": f"a text {i}", "label": i % 2}) + "\n" for i in range(6))
TS = "@timeStamps false\n@classLabel true u v\n@data\n1,2:3,4:u\n5:6:v\n"
CONLL = "I\tPRP\nwent\tVBD\n\nYou\tPRP\n"
UD = (
    "# newdoc id = a\n1\tGo\tgo\tVERB\tVB\t_\t0\troot\t_\t_\n\n"
    "# newdoc id = b\n1\tStop\tstop\tVERB\tVB\t_\t0\troot\t_\t_\n"
)


def files_in(folder: Path) -> dict[str, tuple[Path, str, int, dict[str, object]]]:
    """For each kind of input: the place, the corpus, the documents, and keys that are proposed."""
    made = {}

    def text(name, content, corpus, count, keys, encoding="utf-8"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode(encoding))
        made[name] = (path, corpus, count, keys)

    text("SMSSpamCollection", TABS, "table", 8, {"header": False, "quote": None, "text": ["2"], "labels": ["1"]})
    text("spam.csv", COMMAS, "table", 8, {"encoding": "cp1252", "text": ["v2"], "labels": ["v1"]}, "latin-1")
    text("train.tsv", PHRASES, "table", 9, {"text": ["Phrase"], "labels": ["Sentiment"], "group": "SentenceId"})
    text("amazon.jsonl", LINES, "table", 6, {"text": ["text"], "labels": ["label"]})
    array = json.dumps([json.loads(line) for line in LINES.splitlines()])
    text("array.json", array, "table", 6, {"text": ["text"], "labels": ["label"]})
    text("fast.txt", "__label__a one two\n__label__b three\n" * 3, "table", 6, {"text": ["text"], "labels": ["labels"]})
    for split in ("train", "test"):
        for label in ("neg", "pos"):
            for number in range(2):
                text(f"folders/{split}/{label}/{number}.txt", f"It was {label} {number}.\n", "table", 0, {})
    folders = {"format": "folder", "text": ["text"], "labels": ["folder"], "split": "folder2"}
    made["folders"] = (folder / "folders", "table", 8, folders)
    text("a.ts", TS, "steps", 2, {"label": "label"})
    text("conll.txt", CONLL, "steps", 2, {"tokens": "1", "tags": ["2"]})
    text("a.conllu", UD, "steps", 2, {"tokens": "form", "tags": ["upos"], "group": "newdoc"})
    for split in ("train", "dev", "test"):
        text(f"ud/en-ud-{split}.conllu", UD, "steps", 0, {})
    splits = {"train": "*train*", "validation": "*dev*", "test": "*test*"}
    made["ud"] = (folder / "ud", "steps", 6, {"tokens": "form", "tags": ["upos"], "group": "newdoc", **splits})
    table = {"x": [[[1.0, 2.0]], [[3.0, 4.0]]] * 3, "kind": ["u", "v"] * 3}
    pq.write_table(pa.table(table), folder / "lists.parquet")
    made["lists.parquet"] = (folder / "lists.parquet", "steps", 6, {"features": ["x"], "label": "kind"})
    np.savez(folder / "a.npz", x=np.zeros((9, 2)), lengths=np.array([2, 3, 4]), kind=np.array(["u", "v", "u"]))
    made["a.npz"] = (folder / "a.npz", "steps", 3, {"features": ["x"], "label": "kind"})
    text("play.txt", "First Voice:\nStay, if you like.\n\nSecond Voice:\nI do.\n", "plain", 1, {})
    return {name: entry for name, entry in made.items() if entry[2]}


NAMES = ["SMSSpamCollection", "spam.csv", "train.tsv", "amazon.jsonl", "array.json", "fast.txt", "folders", "a.ts"]
NAMES += ["conll.txt", "a.conllu", "ud", "lists.parquet", "a.npz", "play.txt"]


def test_every_input_that_is_made_is_looked_at(tmp_path):
    assert sorted(files_in(tmp_path)) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proposed_is_read_by_the_stage(name, tmp_path, root):
    source, corpus, count, keys = files_in(tmp_path)[name]
    looked = look_at(source, LIMIT)
    assert (looked.corpus, looked.looked_at, looked.is_whole) == (corpus, count, True)
    assert looked.keys == keys
    # As it is shown, over what params.yaml has.
    content = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
    shown = yaml.safe_load(looked.to_text(80).partition("\n\n")[2])["ingest"]
    content["ingest"] = {**content["ingest"], **shown, corpus: {**content["ingest"][corpus], **shown.get(corpus, {})}}
    params = check_params(content, root / "params.yaml").ingest
    counts = ingest(params.chosen, Extract(Path(params.source), LIMIT), tmp_path / "documents.parquet")
    assert counts["sequences" if corpus == "steps" else "documents"] == count


def test_classes_groups_and_lengths_are_counted(tmp_path):
    made = files_in(tmp_path)
    looked = look_at(made["train.tsv"][0], LIMIT)
    assert looked.labels == {"Sentiment": {"0": 3, "1": 3, "2": 3}}
    assert looked.groups == 5
    looked = look_at(made["a.ts"][0], LIMIT)
    assert (looked.labels, looked.lengths, looked.unit) == ({"label": {"u": 1, "v": 1}}, (1, 1.5, 2), "steps")
    looked = look_at(made["ud"][0], LIMIT)
    assert looked.labels == {"upos": {"VERB": 6}}
    assert looked.groups == 2


def test_lines_are_as_wide_as_is_asked_and_json_has_the_same(tmp_path, capsys):
    source = files_in(tmp_path)["SMSSpamCollection"][0]
    shown = look_at(source, LIMIT).to_text(50).partition("\n\n")[0].splitlines()
    assert max(map(len, shown)) <= 50
    assert any(line.endswith("…") for line in shown)
    main(["look", str(source), "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["proposal"]["ingest"]["table"]["labels"] == ["1"]
    main(["look", str(source)])
    assert "2 classes: ham 4, spam 4" in capsys.readouterr().out


def test_blogs_are_told_by_the_names_of_files(root):
    assert look_at(root / "data/sample/blogs.zip", 64 << 20).corpus == "blogs"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", b"id,text\n1,a,b,c\n", "line 2: has 4 columns; expected 2"),
        ("a.dat", b"PK\x03\x04" + bytes(9), "is an archive in a folder or an archive; expected files; name it itself"),
        ("a.bin", b"\x00\x01\x02\xff" * 9, "no form that is known"),
        ("a.parquet", b"PAR1 and nothing", "is no Parquet"),
        ("a.jsonl", b"{\n", "line 1: is no JSON"),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(tmp_path, name, content, expected):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CorpusError, match=expected) as caught:
        look_at(tmp_path / name, LIMIT)
    assert "\n" not in str(caught.value)


def test_what_a_terminal_would_obey_is_not_shown(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": "a\x1b[2Jb", "label": "x"}) + "\n", encoding="utf-8")
    assert "\x1b" not in look_at(tmp_path / "a.jsonl", LIMIT).to_text(80)
