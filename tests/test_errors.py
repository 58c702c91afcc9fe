import pytest
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.errors import BEGINNING, END, FormatError, LengthwiseError


@settings(max_examples=up_to(300), deadline=None)
@given(st.text(st.characters(), max_size=60))
def test_lengthwise_error_is_one_printable_line_whatever_it_quotes(text):
    message = str(FormatError(f"file: got {text}; change it"))
    assert message.isprintable()
    assert message.startswith("file: got ")
    assert message.endswith("; change it")
    assert not text.isprintable() or text in message


def test_lengthwise_error_keeps_the_ends_of_a_message_as_long_as_a_file():
    message = str(LengthwiseError("file: got " + "x" * 10**7 + "; change it"))
    assert len(message) < BEGINNING + END + 10
    assert message.startswith("file: got x")
    assert message.endswith("x; change it")


@pytest.mark.parametrize(
    ("text", "shown"), [("a\nb", "a\\nb"), ("\x1b[2J", "\\x1b[2J"), ("\udc80", "\\udc80"), ("é …", "é …")]
)
def test_lengthwise_error_escapes_what_is_not_printable(text, shown):
    assert str(LengthwiseError(text)) == shown
