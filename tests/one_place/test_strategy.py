"""A strategy is added at one place, `STRATEGIES`, and is found wherever strategies are named."""

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
# In a process of its own: settings look strategies up when they are imported.
ADDED = """
import gc
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

# What is imported stays to the end.
gc.disable()
# Keras imports it for its wrappers alone, and it takes long.
sys.modules["sklearn"] = None

import numpy as np

from lengthwise.batching import registry
from lengthwise.batching.plan import Plan, Strategy, batches_in_order
from lengthwise.batching.sizes import BatchSize
from lengthwise.bounds import Within
from lengthwise.core.sequences import Sequences


@dataclass(frozen=True)
class Sorted(Strategy):
    \"\"\"Batches by rising length.

    Attributes:
        batch_size: rows in a batch.
        slope: a setting that no other strategy has.
    \"\"\"

    batch_size: BatchSize
    slope: Annotated[int, Within(1, 9)]
    cuts: ClassVar[bool] = True

    def _plan(self, lengths: np.ndarray, rng: np.random.Generator) -> Plan:
        return batches_in_order(lengths, np.argsort(lengths), self.batch_size)


registry.STRATEGIES["sorted"] = Sorted

from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings.params import check_params, load_params
from lengthwise.pipeline.stages.train.outcome import batching_table
from lengthwise.reports.reference import strategies_table
from lengthwise.runs.run import Run, run_in
from lengthwise.system.strict_yaml import read_yaml
from lengthwise.training.epoch_parts import InMemory

root = Path(sys.argv[1])
content = read_yaml(root / "params.yaml")


def refusal(**batching):
    content["train"]["batching"].update(batching)
    try:
        return check_params(content, Path("params.yaml"))
    except ParamsError as error:
        return str(error)


assert "train.batching.slope: is missing; expected an integer from 1 to 9; add it" in refusal()
assert "train.batching.slope: got 10; expected an integer from 1 to 9; change it" in refusal(slope=10)
content["train"]["batching"]["slope"] = 2
assert "expected one of bucketed, exact, packed, padded, padded_to_longest, sorted, " in refusal(strategy="no")
content["train"]["model"]["bidirectional"] = True
assert "the backward direction would begin at windows that are still to come" in refusal(strategy="sorted")
content["train"]["model"]["bidirectional"] = False
params = refusal(strategy="sorted").train
assert params.batching.chosen == Sorted(batch_size=256, slope=2)
table = batching_table(InMemory(Sequences(np.array([0, 3, 4, 6]), {})), params).set_index("strategy")
assert table.loc["sorted", "batches"] == 1
assert "| `sorted` | Batches by rising length. |" in strategies_table(run_in(root))
print(table.index.tolist(), flush=True)
os._exit(0)
"""


def test_a_strategy_is_added_at_one_place():
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", ADDED, str(ROOT)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "sorted" in yaml.safe_load(done.stdout)
