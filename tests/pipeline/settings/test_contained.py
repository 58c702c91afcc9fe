"""Sections have the keys of the dataclasses that they contain, and reject what those reject."""

import dataclasses
from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from pydantic import ValidationError

from lengthwise.batching.plan import Strategy
from lengthwise.batching.registry import STRATEGIES, settings_of_strategies
from lengthwise.bounds import Count, Letters, OneOf, Seed, Share, Within, check_fields, hints_of
from lengthwise.errors import ArgumentError
from lengthwise.evaluation.baseline_options import LinearOptions
from lengthwise.evaluation.resampling import Bootstrap
from lengthwise.models.config import Architecture
from lengthwise.pipeline.settings.contained import KeyNames, Section, section
from lengthwise.pipeline.settings.params import Params, load_params
from lengthwise.prepare.forms.tokenizer_options import TokenizerOptions
from lengthwise.prepare.shards.lengths import LengthLimits
from lengthwise.prepare.splits import SplitShares
from lengthwise.training.training_settings import Course, OptimizerSettings

NAMES = {"b": 1, "a": 2}
# By the dotted section: the dataclass that it contains, and under which name it offers it.
CONTAINED = {
    "tokens": ("options", TokenizerOptions),
    "split": ("shares", SplitShares),
    "shards": ("limits", LengthLimits),
    "train": ("course", Course),
    "train.model": ("architecture", Architecture),
    "train.optimizer": ("settings", OptimizerSettings),
    "baselines": ("linear", LinearOptions),
    "evaluate": ("bootstrap", Bootstrap),
}


@dataclass(frozen=True)
class Part:
    count: Count
    share: Share
    step: Annotated[float, Within(above=0.0, most=10.0)] | None
    side: Literal["left", "right"]
    name: Annotated[str, OneOf(NAMES)]
    word: Annotated[str, Letters(2)]
    flag: bool
    plain: float

    def __post_init__(self):
        check_fields(self)


@section
class Whole(Section):
    """Has the keys of a part between two of its own."""

    first: int
    part: Annotated[Part, KeyNames(count="how_many")]
    seeds: list[Seed]

    @property
    def doubled(self):
        """What a section may offer beside its keys."""
        return 2 * self.first


LEGAL = {
    **{"first": 1, "how_many": 2, "share": 0.5, "step": None, "side": "left", "name": "a", "word": "en", "flag": True},
    **{"plain": 1.5, "seeds": [0, 1]},
}


def test_keys_are_those_of_the_dataclass_in_its_place():
    whole = Whole.model_validate(LEGAL)
    assert list(Whole.model_fields) == list(LEGAL)
    assert whole.model_dump() == LEGAL
    assert whole.part == Part(2, 0.5, None, "left", "a", "en", True, 1.5)
    assert (whole.doubled, Whole.__doc__) == (2, "Has the keys of a part between two of its own.")
    assert Whole.contained["part"]["count"] == "how_many"


VALUES = (*(0, 1, 3, -1, 0.0, 0.5, 1.0, 10.0, 10.5, float("nan"), float("inf")), "a", "en", "left", "", None, True, [])


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Part)])
@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_section_rejects_what_its_dataclass_rejects(field, value):
    key = Whole.contained["part"][field]
    part = Whole.model_validate(LEGAL).part
    try:
        dataclasses.replace(part, **{field: value})
        legal = True
    except ArgumentError:
        legal = False
    try:
        assert getattr(Whole.model_validate({**LEGAL, key: value}).part, field) == value
        accepted = True
    except ValidationError:
        accepted = False
    assert accepted == legal


@pytest.mark.parametrize("seeds", [[-1], [2**31], ["1"], [True], 1, None])
def test_items_of_a_list_have_their_bounds(seeds):
    with pytest.raises(ValidationError):
        Whole.model_validate({**LEGAL, "seeds": seeds})


def test_a_section_is_closed_frozen_and_strict():
    with pytest.raises(ValidationError, match="Extra inputs"):
        Whole.model_validate({**LEGAL, "part": None})
    with pytest.raises(ValidationError, match="frozen"):
        Whole.model_validate(LEGAL).share = 0.1
    # A number by hand, as YAML 1.1 reads it.
    assert Whole.model_validate({**LEGAL, "share": "1e-3"}).part.share == 0.001


@pytest.mark.parametrize("dotted", CONTAINED)
def test_sections_of_params_contain_the_dataclasses_of_the_library(root, dotted):
    section_class, params = Params, load_params(root / "params.yaml")
    for part in dotted.split("."):
        section_class, params = section_class.model_fields[part].annotation, getattr(params, part)
    name, kind = CONTAINED[dotted]
    assert list(section_class.contained[name]) == list(hints_of(kind))
    assert set(section_class.contained[name].values()) <= set(section_class.model_fields)
    made = getattr(params, name)
    assert type(made) is kind
    assert dataclasses.asdict(made) == {f: getattr(params, key) for f, key in section_class.contained[name].items()}


def test_every_setting_of_a_strategy_is_a_key(root):
    batching = load_params(root / "params.yaml").train.batching
    others = {"strategy", "padding", "group_limit", "sample", "window_blocks"}
    assert set(settings_of_strategies()) == set(type(batching).model_fields) - others
    for name, kind in STRATEGIES.items():
        chosen = batching.model_copy(update={"strategy": name}).chosen
        assert type(chosen) is kind
        assert dataclasses.asdict(chosen).items() <= batching.model_dump().items()


def test_strategies_agree_in_the_bounds_of_a_setting(monkeypatch):
    @dataclass(frozen=True)
    class Other(Strategy):
        batch_size: int

        _plan = None

    monkeypatch.setitem(STRATEGIES, "other", Other)
    with pytest.raises(TypeError, match=r"Other.batch_size: bounds differ from another strategy's; make them the same"):
        settings_of_strategies()
