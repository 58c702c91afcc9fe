"""What an activation without bound does to a recurrent network: states and gradients over many steps.

    python benchmarks/activations.py

The source notes (002) warn of activations that do not saturate. For each cell and activation: the largest state after
200 steps of random inputs, and the norm of the loss's gradient by the state before them, for recurrent weights as they
begin (gain 1) and twice as large, as training may make them (gain 2).
"""

import argparse

import numpy as np
import tensorflow as tf

from lengthwise.layers import GRUCell, LayerNormSimpleCell, LSTMCell, Recurrent, SimpleCell

CELLS = (SimpleCell, LayerNormSimpleCell, LSTMCell, GRUCell)


def state_and_gradient(kind: type, activation: str, gain: float, steps: int, units: int = 64) -> tuple[float, float]:
    """The largest state after `steps`, and the norm of a loss's gradient by the state before."""
    rng = np.random.default_rng(1)
    tf.keras.utils.set_random_seed(1)
    layer = Recurrent(kind(units, activation), return_sequences=False)
    inputs = tf.constant(rng.normal(0, 1, (8, steps, units)).astype(np.float32))
    layer.build(inputs.shape)
    layer.cell.recurrent_kernel.assign(gain * layer.cell.recurrent_kernel)
    before = [tf.zeros((8, size)) for size in layer.state_sizes]
    with tf.GradientTape() as tape:
        tape.watch(before)
        last = layer(inputs, states=before)
        loss = tf.reduce_mean(tf.reduce_sum(last**2, axis=1))
    gradients = tape.gradient(loss, before, unconnected_gradients="zero")
    return float(tf.reduce_max(tf.abs(last))), float(tf.linalg.global_norm(gradients))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=200, help="time steps (default: 200)")
    steps = parser.parse_args().steps
    print(f"{'cell':20} {'activation':10} {'gain':>4} {'state':>10} {'gradient':>10}")
    for kind in CELLS:
        for activation in ("tanh", "relu"):
            for gain in (1.0, 2.0):
                state, gradient = state_and_gradient(kind, activation, gain, steps)
                print(f"{kind.__name__:20} {activation:10} {gain:4} {state:10.3g} {gradient:10.3g}")


if __name__ == "__main__":
    main()
