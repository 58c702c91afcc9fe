"""JAX as its users write it: one compiled step, a scan over the time steps, batches of one length."""

import functools
from collections.abc import Mapping

import numpy as np

from lengthwise.batching.stats import plan_stats
from peers.data import Data, cut, endless
from peers.processes import Stopwatch, Unavailable

try:
    import jax
    from jax import numpy as jnp
except ImportError as error:
    raise Unavailable(f"JAX cannot be imported ({error})") from None

Weights = Mapping[str, "jax.Array"]
# Steps that the compiled loop takes at once: what was fastest of 1, 2, 5 and 10.
UNROLLED = 5
DECAYS, EPSILON = (0.9, 0.999), 1e-7


def run(data: Data, stopwatch: Stopwatch) -> None:
    """Train without end on full batches of one length, each of which is compiled once for its length."""
    settings = data.params.model
    plan = data.plan("exact")
    stopwatch.padding_share = plan_stats(plan).padding_share
    full = data.params.batching.batch_size
    batches = [(batch.tokens.T.astype(np.int32), batch.labels) for batch in cut(plan, data.sequences)]
    batches = [(tokens, labels) for tokens, labels in batches if len(labels) == full]
    step = jax.jit(
        functools.partial(_step, dropout=settings.dropout, rate=data.params.optimizer.learning_rate),
        donate_argnums=(0, 1),
    )
    weights = _weights(data)
    moments = [{name: jnp.zeros_like(of) for name, of in weights.items()} for _ in DECAYS]
    # All lengths are compiled before the clock runs.
    shapes = {tokens.shape: (tokens, labels) for tokens, labels in batches}
    for number, (tokens, labels) in enumerate([*shapes.values()] * 2):
        weights, moments = step(weights, moments, number, tokens, labels)
    for number, (tokens, labels) in enumerate(endless(batches, data.params.seed)):
        weights, moments = step(weights, moments, number, tokens, labels)
        jax.block_until_ready(weights)
        stopwatch.tick(len(labels), tokens.size)


def _weights(data: Data) -> Weights:
    settings = data.params.model
    rng = np.random.default_rng(data.params.seed)
    shapes = {
        "embedding": (data.vocabulary_size, settings.embedding),
        "kernel": (settings.embedding, 3 * settings.units),
        "recurrent": (settings.units, 3 * settings.units),
        "bias": (2, 3 * settings.units),
        "softmax": (settings.units, data.classes),
        "softmax_bias": (data.classes,),
    }
    return {name: jnp.asarray(rng.normal(0, 0.05, shape), jnp.float32) for name, shape in shapes.items()}


def _logits(weights: Weights, tokens: "jax.Array", key: "jax.Array", dropout: float) -> "jax.Array":
    """Of ids (T, B), float32 (B, C): a GRU that resets after the product, as cuDNN and Keras have it."""
    inputs = weights["embedding"][tokens] @ weights["kernel"] + weights["bias"][0]
    units = weights["recurrent"].shape[0]

    def cell(state: "jax.Array", of_input: "jax.Array") -> tuple["jax.Array", None]:
        of_state = state @ weights["recurrent"] + weights["bias"][1]
        gates = jax.nn.sigmoid(of_input[:, : 2 * units] + of_state[:, : 2 * units])
        update, reset = gates[:, :units], gates[:, units:]
        candidate = jnp.tanh(of_input[:, 2 * units :] + reset * of_state[:, 2 * units :])
        return update * state + (1 - update) * candidate, None

    last, _ = jax.lax.scan(cell, jnp.zeros((tokens.shape[1], units)), inputs, unroll=UNROLLED)
    kept = jax.random.bernoulli(key, 1 - dropout, last.shape)
    return jnp.where(kept, last / (1 - dropout), 0) @ weights["softmax"] + weights["softmax_bias"]


def _step(
    weights: Weights,
    moments: list[Weights],
    number: int,
    tokens: "jax.Array",
    labels: "jax.Array",
    *,
    dropout: float,
    rate: float,
) -> tuple[Weights, list[Weights]]:
    """One update by Adam (Kingma and Ba, 2015)."""
    key = jax.random.fold_in(jax.random.key(1), number)

    def loss(of: Weights) -> "jax.Array":
        scores = jax.nn.log_softmax(_logits(of, tokens, key, dropout))
        return -jnp.take_along_axis(scores, labels[:, None], axis=1).mean()

    gradients = jax.grad(loss)(weights)
    made = [
        {name: decay * of[name] + (1 - decay) * gradients[name] ** power for name in weights}
        for decay, power, of in zip(DECAYS, (1, 2), moments, strict=True)
    ]
    first, second = (1 - decay ** (number + 1.0) for decay in DECAYS)
    return {
        name: of - rate / first * made[0][name] / (jnp.sqrt(made[1][name] / second) + EPSILON)
        for name, of in weights.items()
    }, made
