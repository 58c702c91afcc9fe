"""The forms of corpora that `ingest.corpus` may name."""

from lengthwise.corpora.blogs.form import Blogs
from lengthwise.corpora.corpus import Corpus

CORPORA: dict[str, type[Corpus]] = {"blogs": Blogs}
