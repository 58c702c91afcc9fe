import inspect
import re
import sys
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from lengthwise.batching.bucketed import Bucketed
from lengthwise.batching.padded import Padded
from lengthwise.batching.registry import STRATEGIES, make_strategy

SETTINGS = {"batch_size": 256, "buckets": 5, "tokens": 4096, "window": 128}


def test_registry_has_the_strategies_by_their_names():
    assert {"bucketed": Bucketed, "padded": Padded}.items() <= STRATEGIES.items()
    assert all(name == re.sub(r"(?<=.)(?=[A-Z])", "_", kind.__name__).lower() for name, kind in STRATEGIES.items())


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_make_strategy_takes_the_settings_that_the_strategy_has(name):
    strategy = make_strategy(name, SETTINGS)
    assert type(strategy) is STRATEGIES[name]
    assert all(getattr(strategy, field.name) == SETTINGS[field.name] for field in fields(strategy))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_strategies_are_frozen_dataclasses_of_documented_settings(name):
    strategy = make_strategy(name, SETTINGS)
    assert is_dataclass(strategy)
    with pytest.raises(FrozenInstanceError):
        setattr(strategy, fields(strategy)[0].name, 3)
    assert all(f"{field.name}:" in inspect.getdoc(type(strategy)) for field in fields(strategy))


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_strategies_import_no_tensorflow(name):
    module = sys.modules[STRATEGIES[name].__module__]
    assert "tensorflow" not in vars(module)
    assert "tf" not in vars(module)


def test_make_strategy_refuses_an_unknown_name():
    with pytest.raises(ValueError, match=r"name: got .sorted.; expected one of bucketed, exact, .*truncated"):
        make_strategy("sorted", SETTINGS)


@pytest.mark.parametrize("name", [["padded"], None, 3])
def test_make_strategy_refuses_what_is_no_name(name):
    with pytest.raises(ValueError, match=r"name: got .*; expected one of bucketed, exact, .*truncated"):
        make_strategy(name, SETTINGS)


@pytest.mark.parametrize("settings", [None, [4], "batch_size"])
def test_make_strategy_refuses_settings_that_have_no_names(settings):
    with pytest.raises(ValueError, match=r"settings: got .*; expected a dict of whole numbers by name"):
        make_strategy("padded", settings)
