import pytest

from lengthwise.core.labels import LabelFactor
from lengthwise.corpora.blogs.authors import Author, parse_author
from lengthwise.errors import CorpusError


def test_age_brackets_give_factors_in_the_order_of_the_params(brackets):
    assert brackets.factors == [
        LabelFactor("gender", ("male", "female")),
        LabelFactor("age_bracket", ("10s", "20s", "30s")),
    ]


def test_age_brackets_include_both_bounds_and_refuse_every_other_age(brackets):
    expected = dict.fromkeys(range(13, 18), 0) | dict.fromkeys(range(23, 28), 1) | dict.fromkeys(range(33, 49), 2)
    for age in range(1000):
        if age in expected:
            assert brackets.code(age, "here") == expected[age]
        else:
            with pytest.raises(CorpusError, match=rf"^here: age {age} is in no bracket; .*ingest\.blogs\.age_brackets"):
                brackets.code(age, "here")


def test_parse_author_takes_id_codes_and_properties(brackets):
    assert parse_author(["7", "FeMale", "33", "", ""], brackets, "here") == Author("7", (1, 2), 33, None, None)
    author = parse_author(["7", "female", "33", "Arts", "Leo"], brackets, "here")
    document = author.document(None, "text")
    assert (document.group, document.codes, document.text) == ("7", (1, 2), "text")
    assert document.facts == (33, "Arts", "Leo", None)


@pytest.mark.parametrize("gender", ["", "m", "males", "unknown", " male"])
def test_parse_author_refuses_an_unknown_gender(brackets, gender):
    with pytest.raises(CorpusError, match=rf"^here: gender '{gender}'; expected male or female; rename it or"):
        parse_author(["7", gender, "25", "Arts", "Leo"], brackets, "here")


@pytest.mark.parametrize("age", ["", "x", "-25", "25.0", " 25", "²5", "٢٥", "1e1", "25 "])
def test_parse_author_refuses_an_age_that_is_no_number(brackets, age):
    with pytest.raises(CorpusError, match=r"^here: age .*; expected a whole number of years; mend it or"):
        parse_author(["7", "male", age, "Arts", "Leo"], brackets, "here")
