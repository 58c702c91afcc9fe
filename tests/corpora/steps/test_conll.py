import pytest

from lengthwise.errors import CorpusError

# All text is invented.
UD = """# newdoc id = first
# sent_id = first-1
# text = They don't stop
1\tThey\tthey\tPRON\tPRP\t_\t3\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t3\taux\t_\t_
3\tn't\tnot\tPART\tRB\t_\t3\tadvmod\t_\t_
3.1\tstop\tstop\tVERB\tVB\t_\t_\t_\t_\t_

# sent_id = first-2
# text = a\tb
1\t#\t#\tSYM\tNFP\t_\t0\troot\t_\tSpaceAfter=No

# newdoc
# sent_id = second-1
1\tStop\tstop\tVERB\tVB\t_\t0\troot\t_\t_"""


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_words_of_conll_u_are_read_and_ranges_and_empty_nodes_passed_over(tmp_path, read_all, spelled):
    source = written(tmp_path / "a.conllu", UD)
    form, documents, counts = read_all(source, tokens="form", tags=["upos", "deprel"], group="newdoc")
    said = [spelled(form, document) for document in documents]
    assert [one["tokens"] for one in said] == [["They", "do", "n't"], ["#"], ["Stop"]]
    assert [one["upos"] for one in said] == [["PRON", "AUX", "PART"], ["SYM"], ["VERB"]]
    assert said[0]["deprel"] == ["nsubj", "aux", "advmod"]
    assert [one["group"] for one in said] == ["first", "first", "a.conllu/2"]
    assert (counts["comments"], counts["multiword_ranges"], counts["empty_nodes"]) == (7, 1, 1)
    assert form.words == {"document": "sequence", "group": "document"}


def test_columns_by_number_are_those_by_name(tmp_path, read_all):
    source = written(tmp_path / "a.conllu", UD)
    by_name = read_all(source, tokens="form", tags=["xpos"])
    by_number = read_all(source, tokens="2", tags=["5"])
    assert by_name[1] == by_number[1]
    assert [column.name for column in by_number[0].steps] == ["tokens", "column_5"]


def test_a_token_and_its_tag_between_tabs_are_read(tmp_path, read_all, spelled):
    # As ../shared/cases has it: nothing but words and tags, and no line behind the last.
    source = written(tmp_path / "conll.txt", "I\tPRP\nwent\tVBD\n\nYou\tPRP\n")
    form, documents, _ = read_all(source, tokens="1", tags=["2"])
    said = [spelled(form, document) for document in documents]
    assert [(one["tokens"], one["column_2"]) for one in said] == [(["I", "went"], ["PRP", "VBD"]), (["You"], ["PRP"])]


def test_columns_between_blanks_with_marks_of_documents_are_read(tmp_path, read_all, spelled):
    text = "-DOCSTART- -X- O O\n\nAnna NNP I-NP B-PER\nran VBD I-VP O\n\n\n-DOCSTART- -X- O O\n\n# NN I-NP O\n"
    form, documents, counts = read_all(written(tmp_path / "eng.train", text), tokens="1", tags=["4"], group="newdoc")
    said = [spelled(form, document) for document in documents]
    assert [one["tokens"] for one in said] == [["Anna", "ran"], ["#"]]
    assert [one["group"] for one in said] == ["eng.train/1", "eng.train/2"]
    assert counts["document_starts"] == 2
    assert counts["comments"] == 0


@pytest.mark.parametrize("separator", ["\t", " "])
def test_a_token_that_begins_like_a_comment_is_one(tmp_path, read_all, separator):
    lines = ["#topic O", "is O", "", "so O", "# O", "#2 O", "", "# id = 4", "#", "end O"]
    text = "\n".join(line.replace(" ", separator) if line.endswith("O") else line for line in lines)
    _, documents, counts = read_all(written(tmp_path / "a.bio", text), tokens="1", tags=["2"])
    assert [document.steps[0] for document in documents] == [["#topic", "is"], ["so", "#", "#2"], ["end"]]
    assert counts["comments"] == 2


def test_what_comments_say_is_label_number_and_group(tmp_path, read_all, spelled):
    text = "# who = ada\n# mood = calm\n# score = 1.5\na\n\n# mood = loud\n# score = 2\nb\n"
    form, documents, _ = read_all(
        written(tmp_path / "a.conll", text), tokens="1", label="mood", numbers=["score"], group="who"
    )
    said = [spelled(form, document) for document in documents]
    # A group lasts until another is said; a label is that of one sequence.
    assert [(one["mood"], one["score"], one["group"]) for one in said] == [("calm", 1.5, "ada"), ("loud", 2.0, "ada")]
    with pytest.raises(CorpusError, match="lacks the label"):
        read_all(written(tmp_path / "a.conll", "# mood = calm\na\n\nb\n"), tokens="1", label="mood")
    with pytest.raises(CorpusError, match=r"line 1: no comment says its who; expected a line `# who = ...` before it"):
        read_all(written(tmp_path / "a.conll", "b\n"), tokens="1", group="who")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_encodings_and_ends_of_lines_change_nothing(tmp_path, read_all, encoding, ends):
    source = written(tmp_path / "a.txt", ends.join(["Öl\tNN", "", "\u2028\tX", "\u00a0\tY", "  ", "z\tX"]), encoding)
    _, documents, _ = read_all(source, tokens="1", tags=["2"])
    assert [document.steps[0] for document in documents] == [["Öl"], ["\u2028", "\u00a0"], ["z"]]


def test_numbers_of_steps_are_features(tmp_path, read_all):
    _, documents, _ = read_all(written(tmp_path / "a.conll", "a\t1.5\nb\t-2\n"), tokens="1", features=["2"])
    assert documents[0].steps[1].tolist() == [[1.5], [-2.0]]


@pytest.mark.parametrize(
    ("data", "keys", "expected"),
    [
        (b"a\tX\nb\n", {"tags": ["2"]}, "a.conll line 2: has 1 columns; expected 2 or more"),
        (b"a\tX\n\tX\n", {"tags": ["2"]}, "line 2: has an empty column"),
        (b"a\tX\nb\xff\tX\n", {}, "line 2: is not UTF-8"),
        (b"a\tX\n", {"features": ["2"]}, "line 1: 2 is 'X'; expected a number"),
        (b"a\tX\n", {"sequence": "1"}, "ingest.steps.sequence: got 1 .* has empty lines between"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_line(tmp_path, read_all, data, keys, expected):
    (tmp_path / "a.conll").write_bytes(data)
    with pytest.raises(CorpusError, match=expected):
        read_all(tmp_path / "a.conll", format="conll", tokens="1", **keys)
