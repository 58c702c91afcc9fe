"""The forms of corpora that `ingest.corpus` may name."""

from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.corpus import Corpus
from lengthwise.corpora.plain import Plain
from lengthwise.corpora.steps.steps_corpus import StepFiles
from lengthwise.corpora.tabular.tabular_corpus import Table

CORPORA: dict[str, type[Corpus]] = {"blogs": Blogs, "plain": Plain, "steps": StepFiles, "table": Table}
