import pytest
import spacy

from lengthwise.prepare import document_writer as documents_module
from lengthwise.prepare.text.store import TokenStore
from lengthwise.prepare.text.tokens import tokenize


@pytest.fixture
def small_slices(monkeypatch):
    monkeypatch.setattr(documents_module, "ROWS_PER_SLICE", 30)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("language", ["en", "de"])
def test_tokenize_by_pipeline_gives_what_the_pipeline_gives(
    tmp_path, small_slices, random_texts, reference, write_documents, read_sentences, options, language
):
    nlp = spacy.blank(language)
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    texts = random_texts(11, 100)
    documents = write_documents(tmp_path / "documents.parquet", texts)
    tokenize(documents, tmp_path / "tokens", options(sentences=str(tmp_path / "pipeline")), 1)
    assert read_sentences(tmp_path / "tokens", len(texts)) == [reference(text, language) for text in texts]
    store = TokenStore(tmp_path / "tokens")
    assert store.slices == 4
    lexicon = store.lexicon()
    assert lexicon == sorted(set(lexicon), key=str.encode)


def test_tokenize_by_pipeline_does_not_let_a_clean_up_reach_across_words(
    tmp_path, write_documents, read_sentences, options
):
    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.to_disk(tmp_path / "pipeline")
    documents = write_documents(tmp_path / "documents.parquet", ["aaaa\xa0aaaa     bbbb", "\xa0\xa0\xa0\xa0\xa0a"])
    chosen = options(sentences=str(tmp_path / "pipeline"), collapse_repeats=True)
    tokenize(documents, tmp_path / "tokens", chosen, 1)
    assert read_sentences(tmp_path / "tokens", 2) == [[["aaa", "aaa", "bbb"]], [["a"]]]
