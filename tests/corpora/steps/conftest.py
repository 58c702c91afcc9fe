from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lengthwise.corpora.corpus import Extract
from lengthwise.corpora.steps.steps_corpus import StepFiles
from lengthwise.prepare.forms.document_form import Document, DocumentForm

LIMIT = 1 << 20
NOTHING = {
    "format": "auto",
    "train": "*",
    "validation": None,
    "test": None,
    "tokens": None,
    "tags": [],
    "features": [],
    "label": None,
    "numbers": [],
    "group": None,
    "sequence": None,
    "step": None,
    "missing": "refuse",
}


@pytest.fixture(scope="session")
def step_files() -> Callable[..., StepFiles]:
    def build(**keys: object) -> StepFiles:
        return StepFiles.model_validate({**NOTHING, **keys})

    return build


@pytest.fixture(scope="session")
def read_all(step_files) -> Callable[..., tuple[DocumentForm, list[Document], Counter[str]]]:
    """What a source has: form, documents and counts."""

    def read(source: Path, limit: int = LIMIT, groups: int | None = None, **keys: object):
        corpus, extract = step_files(**keys), Extract(source, limit, groups)
        counts: Counter[str] = Counter()
        form = corpus.form(extract)
        return form, list(corpus.documents(extract, form, counts)), counts

    return read


@pytest.fixture(scope="session")
def spelled() -> Callable[[DocumentForm, Document], dict[str, object]]:
    """What a document says, by the names of columns, its codes as the strings that they stand for."""

    def spell(form: DocumentForm, document: Document) -> dict[str, object]:
        said: dict[str, object] = {"group": document.group, "split": document.split}
        for factor, code in zip(form.factors, document.codes, strict=True):
            said[factor.name] = factor.classes[code]
        said |= dict(zip(form.numbers, document.numbers, strict=True))
        for column, values in zip(form.steps, document.steps, strict=True):
            if column.kind == "tags":
                values = [column.classes[code] for code in values]
            said[column.name] = values if column.kind != "features" else values.tolist()
        return said

    return spell
