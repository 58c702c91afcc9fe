"""A cell is added at one place, `CELL_PLACES`, and is found wherever cells are named."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
CELL = """
import keras
from keras import ops

from lengthwise.layers.cell import Cell


@keras.saving.register_keras_serializable("decaying")
class DecayCell(Cell):
    \"\"\"A state that half decays at each step.\"\"\"

    def step(self, projected, states, training=False):
        return [self.activation(projected) + 0.5 * states[0]]
"""
# In a process of its own: settings look cells up when they are imported.
ADDED = """
import gc
import os
import sys
from pathlib import Path

# What is imported stays to the end.
gc.disable()
# Keras imports it for its wrappers alone, and it takes long.
sys.modules["sklearn"] = None

from lengthwise.core import names

names.CELL_PLACES["decay"] = "decaying.DecayCell"

from lengthwise.errors import ParamsError
from lengthwise.pipeline.settings.params import check_params
from lengthwise.reports.reference import cells_table
from lengthwise.system.strict_yaml import read_yaml

root, folder = Path(sys.argv[1]), Path(sys.argv[2])
content = read_yaml(root / "params.yaml")


def refusal(kernel="auto", **model):
    content["train"]["kernel"] = kernel
    content["train"]["model"].update(model)
    try:
        return check_params(content, Path("params.yaml"))
    except ParamsError as error:
        return str(error)


assert "train.model.cell: got 'no'; expected one of decay, gru, layer_norm_gru, " in refusal(cell="no")
assert "train.kernel='native', train.model.cell='decay'" in refusal(kernel="native", cell="decay")
architecture = refusal(cell="decay", units=3).train.model.architecture
assert architecture.cell == "decay"
assert "| `decay` | `DecayCell` | A state that half decays at each step. |  |" in cells_table()
assert "tensorflow" not in sys.modules, "params are read without it"

from dataclasses import asdict

import numpy as np

from lengthwise.core.labels import LabelFactor
from lengthwise.layers.cells import CELLS
from lengthwise.models.config import NetworkConfig
from lengthwise.models.ensemble import make_network
from lengthwise.models.inputs import Inputs
from lengthwise.models.saved import load_network, save_network

try:
    NetworkConfig("classifier", 9, (), **{**asdict(architecture), "cell": "no"})
except ValueError as error:
    assert str(error) == f"cell: got 'no'; expected one of {', '.join(CELLS)}"
    assert "decay" in CELLS
else:
    raise AssertionError("there is no such cell")
config = NetworkConfig("classifier", 9, (LabelFactor("topic", ("a", "b")),), **asdict(architecture))
network = make_network(config)
assert type(network.forwards[0].cell) is CELLS["decay"]
steps = np.ones((1, 4), bool)
inputs = Inputs(np.array([[1, 2, 3, 4]], np.int32), steps, steps & ([[True, False, False, False]]), [[0, 3]])
save_network(network, folder / "saved")
again = load_network(folder / "saved")
assert np.array_equal(again.predict_batch(inputs), network.predict_batch(inputs))
print(network.kernel, flush=True)
os._exit(0)
"""


def test_a_cell_is_added_at_one_place(tmp_path):
    (tmp_path / "decaying.py").write_text(CELL, encoding="utf-8")
    path = os.pathsep.join(map(str, (ROOT / "src", tmp_path)))
    command = [sys.executable, "-c", ADDED, str(ROOT), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "keras"
