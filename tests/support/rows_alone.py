"""Recurrent cells over each row alone, step by step, in float64: the reference of the native kernel.

A step returns the new states and its way back: from the gradients by the new states to those by the input's product, by
the state's product, by the old states and, by name, by the weights that are no matrices.
"""

import numpy as np


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def step_simple(product, recurrent, before, weights):
    after = np.tanh(product + weights.bias + recurrent)

    def back(by_after):
        by_gates = by_after[0] * (1 - after**2)
        return by_gates, by_gates, [0 * before[0]], {"bias": by_gates}

    return [after], back


def step_gru(product, recurrent, before, weights):
    (hidden,) = before
    inner_z, inner_r, inner_g = np.split(product + weights.bias, 3)
    state_z, state_r, state_g = np.split(recurrent + weights.recurrent_bias, 3)
    z, r = sigmoid(inner_z + state_z), sigmoid(inner_r + state_r)
    g = np.tanh(inner_g + r * state_g)

    def back(by_after):
        by_z = by_after[0] * (hidden - g) * z * (1 - z)
        by_g = by_after[0] * (1 - z) * (1 - g**2)
        by_r = by_g * state_g * r * (1 - r)
        inner, state = np.concatenate([by_z, by_r, by_g]), np.concatenate([by_z, by_r, by_g * r])
        return inner, state, [by_after[0] * z], {"bias": inner, "recurrent_bias": state}

    return [z * hidden + (1 - z) * g], back


def step_lstm(product, recurrent, before, weights):
    seen_by_i, seen_by_f, seen_by_o = weights.vectors if len(weights.vectors) else np.zeros((3, len(before[1])))
    i, f, g, o = np.split(product + weights.bias + recurrent, 4)
    i, f, g = sigmoid(i + seen_by_i * before[1]), sigmoid(f + seen_by_f * before[1]), np.tanh(g)
    memory = f * before[1] + i * g
    o, shown = sigmoid(o + seen_by_o * memory), np.tanh(memory)

    def back(by_after):
        by_o = by_after[0] * shown * o * (1 - o)
        by_memory = by_after[1] + by_after[0] * o * (1 - shown**2) + by_o * seen_by_o
        by_i, by_f = by_memory * g * i * (1 - i), by_memory * before[1] * f * (1 - f)
        by_gates = np.concatenate([by_i, by_f, by_memory * i * (1 - g**2), by_o])
        by_before = by_memory * f + by_i * seen_by_i + by_f * seen_by_f
        by_vectors = np.stack([by_i * before[1], by_f * before[1], by_o * memory])[: len(weights.vectors)]
        return by_gates, by_gates, [0 * memory, by_before], {"bias": by_gates, "vectors": by_vectors}

    return [o * shown, memory], back


def normalize(values, gain, offset):
    # Layer normalization, and its way back to the gradients by the values, the gain and the offset.
    deviation = np.sqrt(values.var() + 1e-3)
    plain = (values - values.mean()) / deviation

    def back(by):
        scaled = by * gain
        by_values = (scaled - scaled.mean() - plain * (scaled * plain).mean()) / deviation
        return by_values, by * plain, by

    return plain * gain + offset, back


def normalize_groups(values, vectors, ends):
    # Blocks up to each end together; of G gains, then G offsets, (2 G, U).
    gain, offset = np.split(vectors.reshape(-1), 2)
    cuts = [end * vectors.shape[1] for end in ends[:-1]]
    parts = [
        normalize(*part) for part in zip(*(np.split(array, cuts) for array in (values, gain, offset)), strict=True)
    ]

    def back(by):
        found = [back(own) for (_, back), own in zip(parts, np.split(by, cuts), strict=True)]
        by_values, by_gain, by_offset = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        return by_values, np.stack([by_gain, by_offset]).reshape(vectors.shape)

    return np.concatenate([out for out, _ in parts]), back


def step_layer_norm_simple(product, recurrent, before, weights):
    total, normalize_back = normalize(product + weights.bias + recurrent, *weights.vectors)
    after = np.tanh(total)

    def back(by_after):
        by_gates, *by_vectors = normalize_back(by_after[0] * (1 - after**2))
        return by_gates, by_gates, [0 * before[0]], {"bias": by_gates, "vectors": np.stack(by_vectors)}

    return [after], back


def with_normalized_parts(step, ends):
    # A cell without vectors, both parts of whose gates are normalized.
    def normalized_step(product, recurrent, before, weights):
        gates = 2 * ends[-1]
        inner, inner_back = normalize_groups(product, weights.vectors[:gates], ends)
        state, state_back = normalize_groups(recurrent, weights.vectors[gates : 2 * gates], ends)
        after, step_back = step(inner, state, before, weights)

        def back(by_after):
            by_inner, by_state, by_before, others = step_back(by_after)
            (by_product, by_inner_vectors), (by_recurrent, by_state_vectors) = (
                inner_back(by_inner),
                state_back(by_state),
            )
            vectors = np.concatenate([by_inner_vectors, by_state_vectors, *others.pop("memory", [])])
            return by_product, by_recurrent, by_before, others | {"vectors": vectors}

        return after, back

    return normalized_step


def step_shown(product, recurrent, before, weights):
    # The LSTM that shows its memory normalized, by the last two vectors.
    i, f, g, o = np.split(product + weights.bias + recurrent, 4)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    memory = f * before[1] + i * g
    seen, normalize_back = normalize(memory, *weights.vectors[-2:])
    shown = np.tanh(seen)

    def back(by_after):
        by_seen, by_gain, by_offset = normalize_back(by_after[0] * o * (1 - shown**2))
        by_memory = by_after[1] + by_seen
        by_i, by_f = by_memory * g * i * (1 - i), by_memory * before[1] * f * (1 - f)
        by_gates = np.concatenate([by_i, by_f, by_memory * i * (1 - g**2), by_after[0] * shown * o * (1 - o)])
        others = {"bias": by_gates, "memory": [np.stack([by_gain, by_offset])]}
        return by_gates, by_gates, [0 * memory, by_memory * f], others

    return [o * shown, memory], back


# Gates, states, vectors of single units and a step.
CELLS_ALONE = {
    "gru": (3, 1, 0, step_gru),
    "layer_norm_gru": (3, 1, 12, with_normalized_parts(step_gru, (2, 3))),
    "layer_norm_lstm": (4, 2, 18, with_normalized_parts(step_shown, (4,))),
    "layer_norm_simple": (1, 1, 2, step_layer_norm_simple),
    "lstm": (4, 2, 0, step_lstm),
    "peephole_lstm": (4, 2, 3, step_lstm),
    "simple": (1, 1, 0, step_simple),
}
# Those that add a bias of its own to the state's product.
BIASED_TWICE = ("gru", "layer_norm_gru")
# Those that look at all units of a row before they know one.
NORMALIZED = ("layer_norm_gru", "layer_norm_lstm", "layer_norm_simple")


def run_alone(problem):
    """All outputs and gradients of a problem of tests/native/test_ops.py, by their names."""
    step_of = CELLS_ALONE[problem.cell][3]
    items, initial = problem.items.astype(np.float64), problem.initial.astype(np.float64)
    weights = type(problem.weights)(*(values.astype(np.float64) for values in problem.weights))
    result = {name: np.zeros(getattr(problem, name).shape) for name in ("items", "states", "initial")}
    result |= {name: np.zeros(values.shape) for name, values in weights._asdict().items()}
    result |= {"outputs": np.zeros(problem.by_outputs.shape), "last": np.zeros(problem.states.shape)}
    for row in range(len(problem.mask)):
        states, way = list(problem.states[:, row].astype(np.float64)), []
        for step, begins in problem.steps_of(row):
            states = list(initial) if begins else states
            x = items[problem.reads[row, step]]
            after, back = step_of(x @ weights.kernel, states[0] @ weights.recurrent_kernel, states, weights)
            way.append((step, begins, states[0], back))
            states = after
            result["outputs"][row, step] = after[0]
        result["last"][:, row] = states
        by = list(problem.by_last[:, row].astype(np.float64))
        for step, begins, hidden, back in reversed(way):
            by[0] = by[0] + problem.by_outputs[row, step]
            by_product, by_recurrent, by, by_others = back(by)
            by[0] = by[0] + weights.recurrent_kernel @ by_recurrent
            read = problem.reads[row, step]
            result["items"][read] += weights.kernel @ by_product
            result["kernel"] += np.outer(items[read], by_product)
            result["recurrent_kernel"] += np.outer(hidden, by_recurrent)
            for name, values in by_others.items():
                result[name] += values
            if begins:
                result["initial"] += by
                by = [0 * values for values in by]
        result["states"][:, row] = by
    return result
