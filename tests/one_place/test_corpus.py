"""A form of corpora is added at one place, `CORPORA`, and is found in settings, refusals and the stage ingest."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In a process of its own: settings look corpora up when they are imported.
ADDED = """
import sys
from pathlib import Path

from lengthwise.corpora import registry
from lengthwise.corpora.corpus import Corpus, Extract, senseless
from lengthwise.core.labels import LabelFactor
from lengthwise.prepare.forms.document_form import Document, DocumentForm, Fact
from pydantic import field_validator
import pyarrow as pa


class Lines(Corpus):
    topics: list[str]

    looked_for = "lines"
    counts = ("lines_without_topic",)

    @field_validator("topics")
    @classmethod
    def _different(cls, topics):
        if len(set(topics)) < len(topics):
            raise senseless("one topic stands twice", "remove one")
        return topics

    @property
    def outline(self):
        return self.form(None)

    def form(self, extract):
        facts = (Fact("line", pa.int32(), "its number, from 0"),)
        return DocumentForm(factors=(LabelFactor("topic", tuple(self.topics)),), facts=facts, group="author")

    def documents(self, extract, form, counts):
        for number, line in enumerate(extract.source.read_text(encoding="utf-8").splitlines()):
            topic, tab, text = line.partition("\\t")
            counts["lines_without_topic"] += not tab
            if tab:
                yield Document(f"a{number}", (self.topics.index(topic),), text, (number,))


registry.CORPORA["lines"] = Lines

from lengthwise.corpora.ingest import ingest
from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings.params import check_params
from lengthwise.prepare.documents import open_documents, read_document_table
from lengthwise.system.strict_yaml import read_yaml

root, folder = Path(sys.argv[1]), Path(sys.argv[2])
content = read_yaml(root / "params.yaml")


def checked(**keys):
    content["ingest"].update(keys)
    try:
        return check_params(content, Path("params.yaml"))
    except ParamsError as error:
        return str(error)


assert checked(corpus="no") == (
    "params.yaml: ingest.lines: is missing; expected a section of keys; add it (and 1 more)"
)
assert "ingest.corpus: got 'no'; expected one of blogs, lines, plain, steps, table; change it" in checked(
    lines={"topics": ["food", "work"]}
)
assert "ingest.lines.topics: got ['food', 'food']; one topic stands twice; remove one" in checked(
    corpus="lines", lines={"topics": ["food", "food"]}
)
params = checked(lines={"topics": ["food", "work"]}).ingest
source, documents = folder / "lines.txt", folder / "documents.parquet"
source.write_text("work\\tlate\\nnothing\\nfood\\tsoup\\n", encoding="utf-8")
counts = ingest(params.chosen, Extract(source, 1000), documents)
assert counts["lines_without_topic"] == 1 and counts["documents"] == counts["authors"] == 2
table = read_document_table(documents)
assert table.label.tolist() == [1, 0] and table.form.factors == params.chosen.outline.factors
assert open_documents(documents).read(["line", "text"]).to_pydict() == {"line": [0, 2], "text": ["late", "soup"]}
print("found")
"""


def test_a_corpus_is_added_at_one_place(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", ADDED, str(ROOT), str(tmp_path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "found"
