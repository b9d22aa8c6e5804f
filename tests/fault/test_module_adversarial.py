"""Random commands while everything around them fails (support/adversary.py), for a short time. Longer:
./dev test soak module SECONDS [SEED]. NOTIFY_SEED repeats a run as far as threads and time allow."""

import os
import random

import pytest

from adversary import Replicated, Sharded
from crowd import new_seed
from director import episode

SECONDS = float(os.environ.get("NOTIFY_ADVERSARIAL_S", "8"))


@pytest.mark.parametrize("kind", Replicated.kinds())
def test_adversarial_replicas_and_files_stay_equal_and_nothing_is_lost(programs, kind):
    rng = random.Random(new_seed())
    episode(Replicated(programs, rng, kind), rng, SECONDS / 2)


def test_adversarial_slots_that_move_and_shards_stay_equal_and_nothing_is_lost(programs):
    rng = random.Random(new_seed())
    episode(Sharded(programs, rng), rng, SECONDS)
