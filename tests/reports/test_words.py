import pytest

from lengthwise.reports.words import count, listed, percent, ranged


def test_count_agrees_with_its_noun():
    assert [count(n, "author") for n in (0, 1, 2, 2523)] == ["0 authors", "1 author", "2 authors", "2,523 authors"]
    assert count(12345) == "12,345"


@pytest.mark.parametrize(("words", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a and b"), ("abc", "a, b and c")])
def test_listed_says_any_number_of_words(words, said):
    assert listed(list(words)) == said


def test_numbers_are_said_with_their_units():
    assert percent(0.17555) == "17.6\N{NO-BREAK SPACE}%"
    assert ranged(0.5, 0.25, 0.75) == "0.500 (0.250 to 0.750)"
