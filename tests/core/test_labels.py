import itertools

import numpy as np
import pytest
from closeness import EXACT, assert_close
from examples import up_to
from hypothesis import given, settings
from hypothesis import strategies as st

from lengthwise.core.labels import (
    LabelFactor,
    factor_codes,
    factor_probabilities,
    factors_from_json,
    factors_to_json,
    joint_class,
    joint_class_names,
)

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def factors_of(sizes):
    return [LabelFactor(f"f{i}", tuple(f"{i}{chr(97 + code)}" for code in range(n))) for i, n in enumerate(sizes)]


@settings(max_examples=up_to(50), deadline=None)
@given(SIZES)
def test_joint_class_numbers_all_combinations_with_the_last_factor_fastest(sizes):
    combinations = list(itertools.product(*map(range, sizes)))
    columns = [np.array(column, np.int8) for column in zip(*combinations, strict=True)]
    joint = joint_class(factors_of(sizes), columns)
    assert joint.tolist() == list(range(len(combinations)))
    assert joint.dtype == np.int32
    codes = factor_codes(joint, factors_of(sizes))
    assert [column.tolist() for column in codes] == [column.tolist() for column in columns]


@settings(max_examples=up_to(50), deadline=None)
@given(SIZES)
def test_joint_class_names_are_in_the_order_of_the_joint_classes(sizes):
    factors = factors_of(sizes)
    names = [" ".join(classes) for classes in itertools.product(*(factor.classes for factor in factors))]
    assert joint_class_names(factors) == names


def test_joint_class_of_the_article_is_gender_times_3_plus_bracket(factors):
    gender, bracket = np.array([0, 0, 1, 1]), np.array([0, 2, 0, 2])
    assert joint_class(factors, [gender, bracket]).tolist() == [0, 2, 3, 5]
    assert joint_class_names(factors)[5] == "female 30s"


@pytest.mark.parametrize("codes", [(2, 0), (0, 3), (-1, 0), (0, -1)])
def test_joint_class_refuses_a_code_that_is_no_class(factors, codes):
    with pytest.raises(ValueError, match="invalid entry"):
        joint_class(factors, [np.array([code], np.int8) for code in codes])


@settings(max_examples=up_to(50), deadline=None)
@given(SIZES, st.integers(0, 7), st.integers(0, 2**32 - 1))
def test_factor_probabilities_sum_over_the_other_factors(sizes, count, seed):
    factors = factors_of(sizes)
    joint = np.random.default_rng(seed).dirichlet(np.ones(int(np.prod(sizes))), count)
    expected = [np.zeros((count, size)) for size in sizes]
    for number, codes in enumerate(itertools.product(*map(range, sizes))):
        for place, code in enumerate(codes):
            expected[place][:, code] += joint[:, number]
    found = factor_probabilities(joint, factors)
    assert len(found) == len(expected)
    assert_close(found, expected, EXACT)


def test_factors_survive_json_also_in_other_scripts():
    factors = [LabelFactor("Größe", ("klein", "groß")), LabelFactor("性别", ('"男"', "女\n"))]
    assert factors_from_json(factors_to_json(factors)) == factors
    assert "Größe" in factors_to_json(factors)
