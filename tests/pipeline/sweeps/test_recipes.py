import pytest

from lengthwise.errors import SweepError
from lengthwise.pipeline.sweeps.recipes import read_recipes, recipe_run

NAMES = ("article", "japanese_vowels", "shakespeare", "sms_spam", "ud_tagging")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "it's a file, {1}.tsv"
    path.write_text("x", "utf-8")
    return path


@pytest.fixture
def one(tmp_path):
    def write(text):
        (tmp_path / "recipes").mkdir()
        (tmp_path / "recipes" / "mine.yaml").write_text(text, "utf-8")
        return tmp_path / "recipes"

    return write


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_is_legal_with_the_shipped_params(root, source, name):
    assert tuple(read_recipes(root / "recipes")) == NAMES
    run = recipe_run(name, source, root / "recipes", root / "params.yaml")
    assert run.params.ingest.source == str(source)
    # All that a recipe sets is a key of its own, and none is set to what it is anyway.
    assert not run.params.ingest.chosen.outline.lacks(run.params.tasks[0])
    assert all(f"{key}=" in override for key, override in zip(run.values, run.overrides, strict=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("description: x\nsource: y\nchanges: {train.epoch: 3}\n", r"mine\.yaml: .*train\.epoch"),
        ("description: x\nsource: y\nchanges: {train.epochs: 0}\n", r"train\.epochs: got 0"),
        ("description: x\nchanges: {}\n", r"mine\.yaml: source: is missing"),
        ("description: x\nsource: y\nchanges: {tasks: [tagger], train.model.front_end: conv1d}\n", "a convolution"),
    ],
)
def test_a_recipe_that_is_wrong_is_refused_in_one_line(root, source, one, text, message):
    with pytest.raises(SweepError, match=message) as caught:
        recipe_run("mine", source, one(text), root / "params.yaml")
    assert "\n" not in str(caught.value)


def test_recipes_and_sources_that_are_not_there_are_told(root, source, tmp_path):
    with pytest.raises(SweepError, match="RECIPE: got 'none'; expected one of article, japanese_vowels"):
        recipe_run("none", source, root / "recipes", root / "params.yaml")
    with pytest.raises(SweepError, match=r"SOURCE: got .*nowhere.*; expected sms-spam\.tsv"):
        recipe_run("sms_spam", tmp_path / "nowhere", root / "recipes", root / "params.yaml")
    with pytest.raises(SweepError, match="has no recipe"):
        read_recipes(tmp_path)
