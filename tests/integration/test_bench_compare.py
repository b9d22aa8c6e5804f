"""./dev bench --against: when a version is told to be worse."""

import os
import random
import sys

import pytest

from servers import ROOT

sys.path.insert(0, os.path.join(ROOT, "tests", "bench"))

from compare import PAIRS, WORSE, Comparison, compare  # noqa: E402


def verdict(*ratios):
    return Comparison("figure", [(10.0, 10.0 * ratio) for ratio in ratios]).verdict()


@pytest.mark.parametrize(
    "ratios, expected",
    [
        ((1.04, 1.05, 1.04, 1.06, 1.05), "worse"),
        ((1.01, 1.05, 1.04, 1.06, 1.05), "worse"),
        ((1.02, 1.02, 1.03, 1.02, 1.02), ""),  # steady, but little
        ((0.94, 1.05, 1.04, 1.06, 1.05), ""),  # the pairs do not agree
        ((1.01, 1.02, 1.09, 1.10, 1.35), ""),
        ((0.8, 1.0, 1.0, 1.0, 1.3), ""),
        ((0.95, 0.94, 0.96, 0.95, 0.96), "better"),
        ((0.95, 0.94, 1.06, 0.95, 0.96), ""),
        ((0.9, 1.05, 1.05, 1.06, 1.05, 1.05, 1.06), "worse"),  # of seven, one may be an accident
        ((0.9, 0.9, 1.05, 1.06, 1.05, 1.05, 1.06), ""),
    ],
)
def test_worse_is_a_large_median_that_is_farther_from_1_than_the_pairs_spread(ratios, expected):
    assert verdict(*ratios) == expected


def test_what_was_nothing_and_is_something_is_worse():
    assert Comparison("reads", [(0, 0)] * PAIRS).verdict() == ""
    assert Comparison("reads", [(0, 3)] * PAIRS).verdict() == "worse"


@pytest.mark.parametrize("growth, expected", [(1.0, ""), (1.10, "worse"), (0.90, "better")])
def test_a_machine_that_gets_slower_meets_both_versions(growth, expected):
    rng = random.Random(7)
    slowness = 1.0

    def measure(which):
        nonlocal slowness
        slowness *= 1.01  # each run, so that the second of a pair always looks worse
        return {"us": slowness * rng.uniform(0.99, 1.01) * (growth if which == "new" else 1)}

    (found,) = compare(measure, pairs=9)
    assert found.verdict() == expected, (found.median, found.ratios)


def test_the_versions_take_turns_in_being_first():
    runs = []

    def measure(which):
        runs.append(which)
        return {"us": 1.0}

    compare(measure, pairs=6)
    assert runs == ["old", "new", "new", "old"] * 3


def test_a_figure_that_a_run_did_not_tell_is_an_error():
    def measure(which):
        return {"us": 1.0, **({"ms": 1.0} if which == "new" else {})}

    with pytest.raises(OSError):
        compare(measure)
    with pytest.raises(OSError):
        compare(lambda which: {})


def test_worse_begins_above_three_percent():
    assert verdict(*[WORSE] * PAIRS) == "" and verdict(*[WORSE + 0.001] * PAIRS) == "worse"
