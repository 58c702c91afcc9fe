import numpy as np
import pyarrow as pa
import pytest

from lengthwise.prepare.documents import SliceRows
from lengthwise.prepare.text.normalization import Normalization
from lengthwise.prepare.text.notices import BEGINNING, NOTABLE, TextNotices, all_notices, notice

AS_IT_IS = Normalization(False, False)


def rows_from(first, rows):
    return SliceRows(np.arange(first, first + rows, dtype=np.int32), np.ones(rows, bool))


def spaceless(*texts):
    return [notice(pa.array([text]), rows_from(0, 1), AS_IT_IS).spaceless for text in texts]


def test_notice_finds_texts_of_every_script_without_blanks():
    assert (
        spaceless(
            "今天下雨了。我没有出去！真的吗",
            "これは日本語です。",
            "カタカナ",
            "วันนี้ฝนตก ฉันไม่ได้ออกไป",
            "ມື້ນີ້ຝົນຕົກ",
            "ថ្ងៃនេះភ្លៀង",
            "ဒီနေ့မိုးရွာတယ်",
        )
        == [1] * 7
    )


def test_notice_passes_over_texts_with_blanks_between_words_and_single_words_of_other_scripts():
    assert spaceless(
        "", "   ", "It rained.", "Es regnete überall, größtenteils.", "Сегодня шёл дождь", "오늘은 비가 왔다",
        "היום ירד גשם", "आज बारिश हुई", "She said 你好 and left", "日 is the sign for a day", "你好", "今日は",
        "😀😀😀 ☃☃",
    ) == [0] * 13  # fmt: skip


def test_notice_looks_at_the_beginning_of_a_long_text():
    assert spaceless("今天" * BEGINNING, "word " * BEGINNING + "今天" * 5 * BEGINNING) == [1, 0]


def test_notice_leaves_scripts_to_a_pipeline_that_knows_them():
    assert notice(pa.array(["今天下雨了"]), rows_from(0, 1), AS_IT_IS, by_rule=False) == TextNotices()


@pytest.mark.parametrize(("longest", "cut"), [(None, 0), (10, 4), (NOTABLE, 2), (NOTABLE + 5, 1), (10**6, 0)])
def test_notice_names_the_document_with_the_longest_chunk_and_counts_what_is_cut(longest, cut):
    texts = pa.array(["x" * 20, "a " + "y" * (NOTABLE + 5) + " b", "z" * (NOTABLE + 6) + "\n" + "w" * 11, "c"])
    assert notice(texts, rows_from(40, len(texts)), Normalization(False, False, longest)) == TextNotices(
        0, cut, NOTABLE + 6, 42
    )


def test_notice_counts_chunks_as_they_are_when_they_are_clean():
    texts = pa.array(["!" * 9000 + " " + "ab" * 6])
    assert notice(texts, rows_from(0, len(texts)), Normalization(False, True, 10)) == TextNotices(0, 1)


def test_all_notices_adds_up_and_keeps_the_longest_chunk():
    parts = [TextNotices(1, 2, 0, 0), TextNotices(0, 1, 9000, 17), TextNotices(4, 0, 8000, 3)]
    assert all_notices(parts) == TextNotices(5, 3, 9000, 17)
    assert all_notices([]) == TextNotices()


def test_warn_says_nothing_of_nothing_and_one_line_of_each(capsys):
    TextNotices(longest=9000).warn("en", None, "7/0")
    assert capsys.readouterr().err == ""
    TextNotices(3, 2, 90_000, 4).warn("xx", 10_000, "7/3")
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("warning: tokens: documents without blanks between words")
    assert " Burmese): 3; " in first
    assert "'xx'" in first
    assert second.startswith("warning: tokens: chunks of more than 10000 characters without white space: 2, cut into")
    assert "(the longest has 90000 characters, in document 7/3)" in second
    assert "tokens.longest_chunk" in second
