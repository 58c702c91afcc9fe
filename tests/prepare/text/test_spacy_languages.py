import pkgutil
import re
import subprocess
import sys

import pytest
import spacy
import spacy.lang

from lengthwise.errors import ParamsError
from lengthwise.prepare.text.spacy_languages import (
    FOLDER,
    TO_RUN,
    _finds_words_by_rule,
    named_pipeline,
    rule_based_pipeline,
)


@pytest.mark.parametrize("language", ["qq", "", "english", "../en", "zz_ZZ"])
def test_rule_based_pipeline_refuses_an_unknown_language(language):
    with pytest.raises(ParamsError, match=rf"^tokens\.language: got '{language}'; expected a language code"):
        rule_based_pipeline(language)


def test_rule_based_pipeline_refuses_a_language_without_rules():
    with pytest.raises(ParamsError, match=r"^tokens\.language: got 'zh', .*expected another language"):
        rule_based_pipeline("zh")


@pytest.mark.parametrize("language", ["ja", "ko", "th", "vi", "zh"])
def test_rule_based_pipeline_says_what_to_run_and_to_name_for_languages_without_rules(language):
    with pytest.raises(ParamsError) as error:
        rule_based_pipeline(language)
    said = str(error.value)
    commands, name = said.split("; run: ")[1].split(", and set tokens.sentences to ")
    assert said.startswith(f"tokens.language: got '{language}', ")
    assert name.split(",")[0] in commands
    assert name.startswith(f"{language}_")
    # What the message says without any package to install, a pipeline of characters, works as it is written.
    for command in re.findall(r'python -c "([^"]*)"', commands):
        compile(command, "command", "exec")


@pytest.mark.long
def test_the_command_for_chinese_makes_a_pipeline_that_is_taken(tmp_path):
    command = FOLDER.format("zh").replace("python", sys.executable, 1)
    subprocess.run(command, shell=True, cwd=tmp_path, check=True, capture_output=True)
    nlp = named_pipeline(str(tmp_path / "zh_words"))
    assert [token.text for token in nlp.tokenizer("今天下雨。")] == list("今天下雨。")


@pytest.mark.long
def test_every_language_that_spacy_finds_words_of_by_rule_is_taken_and_no_other():
    languages = [module.name for module in pkgutil.iter_modules(spacy.lang.__path__) if module.ispkg]
    others = [language for language in languages if not _finds_words_by_rule(language)]
    assert sorted(others) == sorted(TO_RUN)
    assert len(languages) > 60


@pytest.mark.parametrize("language", ["lex_attrs", "tokenizer_exceptions", "en.examples", "__init__", "..os", ""])
def test_rule_based_pipeline_refuses_what_else_spacy_has_beside_its_languages(language):
    with pytest.raises(ParamsError, match=rf"^tokens\.language: got {language!r}; expected a language code"):
        rule_based_pipeline(language)


def test_named_pipeline_refuses_what_is_not_there_or_finds_no_sentences(tmp_path):
    with pytest.raises(ParamsError, match=r"^tokens\.sentences: got 'no_such_one'; .*install it with"):
        named_pipeline("no_such_one")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ParamsError, match=r"^tokens\.sentences: the pipeline .* finds no sentences; .*choose another"):
        named_pipeline(str(tmp_path / "blank"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("component", ["sentencizer", "senter", "parser"])
def test_named_pipeline_takes_any_component_that_finds_sentences(tmp_path, component):
    nlp = spacy.blank("en")
    nlp.add_pipe(component)
    nlp.to_disk(tmp_path / "pipeline")
    loaded = named_pipeline(str(tmp_path / "pipeline"))
    assert loaded.pipe_names == [component]
    assert loaded.max_length > 1_000_000_000
