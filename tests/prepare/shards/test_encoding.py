import shutil

import pytest

from lengthwise.errors import FormatError
from lengthwise.prepare.shards.encoding import read_shard_encoding
from lengthwise.prepare.shards.reader import read_index
from lengthwise.prepare.vocabulary import Vocabulary, write_vocabulary


@pytest.fixture
def folder(corpus, tmp_path):
    return shutil.copytree(corpus.shards, tmp_path / "shards")


def test_read_shard_encoding_refuses_another_vocabulary_of_the_same_size(folder):
    index = read_index(folder)
    vocabulary = read_shard_encoding(folder, index).vocabulary
    other = Vocabulary((*vocabulary.tokens[:2], *reversed(vocabulary.tokens[2:])), vocabulary.counts)
    write_vocabulary(folder / "vocabulary.tsv", other)
    with pytest.raises(FormatError, match=r"shards/vocabulary\.tsv: has digest .*; run the stage shards again"):
        read_shard_encoding(folder, index)
