# One kernel, built for each instruction set that this machine has: the same results but for rounding.
import os
import subprocess
import sys

import numpy as np
import pytest
from closeness import assert_close

from lengthwise.core.names import NATIVE_CELLS
from lengthwise.native.arch import ARCH_VARIABLE, kernel_archs

pytestmark = [pytest.mark.native, pytest.mark.long]

# In a process of its own, for TensorFlow takes an operation's name once. Sizes beside the lanes of every vector, rows
# and steps beyond what the kernel computes at once, a layer so wide that factors are packed, gates from shut to open.
COMPUTE = """
import sys
import numpy as np
import tensorflow as tf
from lengthwise.core.names import NATIVE_CELLS
from lengthwise.layers.cells import CELLS
from lengthwise.layers.recurrent import Recurrent
from lengthwise.native.ops import apply_adam, dropout, ragged_layout

rng = np.random.default_rng(0)
found = {}

def draw(*shape, scale=1.0):
    return tf.constant(scale * rng.normal(size=shape), tf.float32)

for name in NATIVE_CELLS:
    for units, features, rows, width in (
        (1, 3, 2, 5),
        (17, 40, 60, 12),
        (64, 33, 7, 9),
        (5, 3, 1, 150),
        (150, 451, 20, 4),
    ):
        for reverse in (False, True):
            layer = Recurrent(
                CELLS[name](units), kernel="native", return_state=True, initial_state="learned", reverse=reverse
            )
            layer.build((None, None, features))
            for variable in layer.trainable_variables:
                size = variable.shape[0] ** -0.5 if len(variable.shape) > 1 else 0.3
                variable.assign(draw(*variable.shape, scale=size))
            inputs = draw(rows, width, features) * 10.0 ** tf.range(-2, 1, 3 / features)[:features]
            mask = rng.random((rows, width)) < 0.8
            resets = (rng.random((rows, width)) < 0.1) & mask
            with tf.GradientTape() as tape:
                tape.watch(inputs)
                made = layer(inputs, mask=mask, **{"ends" if reverse else "resets": resets})
                loss = sum(tf.reduce_sum(values * draw(*values.shape)) for values in made)
            sources = [inputs, *(variable.value for variable in layer.trainable_variables)]
            arrays = [*made, *tape.gradient(loss, sources)]
            found |= {f"{name} {units} {reverse} {number}": values.numpy() for number, values in enumerate(arrays)}

shapes = [(70_001,), (3, 5)]
variables = [[tf.Variable(draw(*shape) ** (1 + (kind == 2))) for shape in shapes] for kind in range(3)]
gradients = [draw(*shape) for shape in shapes]
apply_adam(
    *variables, gradients, step=tf.constant(3, tf.int64), learning_rate=tf.constant(0.1), settings=(0.9, 0.999, 1e-7)
)
found |= {f"adam {kind} {n}": v.numpy() for kind, kinds in enumerate(variables) for n, v in enumerate(kinds)}
found["same dropout"] = dropout(draw(1000, 7), tf.constant([1, 2]), 0.4).numpy()
layout, places = ragged_layout(rng.random((9, 8)) < 0.7, rng.random((9, 8)) < 0.2)
found |= {f"same {name}": values.numpy() for name, values in (layout._asdict() | places._asdict()).items()}
np.savez(sys.argv[1], **found)
"""


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    folder, found = tmp_path_factory.mktemp("computed"), {}
    for arch in kernel_archs():
        path = folder / f"{arch}.npz"
        environment = {**os.environ, ARCH_VARIABLE: arch, "TF_CPP_MIN_LOG_LEVEL": "3"}
        command = [sys.executable, "-c", COMPUTE, str(path)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        with np.load(path) as arrays:
            found[arch] = dict(arrays)
    return found


@pytest.mark.parametrize("arch", kernel_archs())
def test_kernel_of_every_instruction_set_computes_the_same_but_for_rounding(computed, arch):
    found, expected = computed[arch], computed["native"]
    assert len(found) > 2 * len(NATIVE_CELLS) * 4 * 5
    # What is added up is of size 1, also where it cancels out.
    assert_close(found, expected, terms=1.0)
    assert_close(*({n: values for n, values in made.items() if n.startswith("same")} for made in (found, expected)), 0)


def test_kernels_of_instruction_sets_are_not_one_kernel(computed):
    # Else the variable would have done nothing.
    smallest, largest = computed[kernel_archs()[0]], computed["native"]
    differing = sum(not np.array_equal(smallest[name], largest[name]) for name in largest)
    assert len(computed) == 1 or differing > len(largest) / 2
