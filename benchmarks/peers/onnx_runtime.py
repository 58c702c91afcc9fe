"""ONNX Runtime at its best: the operator GRU over time-major rows of one length."""

import numpy as np

from lengthwise.batching.stats import plan_stats
from peers.data import Data, cut
from peers.processes import Stopwatch, Unavailable

try:
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    raise Unavailable(f"ONNX Runtime cannot be imported ({error})") from None


def run(data: Data, stopwatch: Stopwatch, *, threads: int) -> None:
    """Predict without end, in batches of one length that are made before the clock runs."""
    plan = data.plan("exact")
    stopwatch.padding_share = plan_stats(plan).padding_share
    batches = [np.ascontiguousarray(batch.tokens.T.astype(np.int64)) for batch in cut(plan, data.sequences)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(_model(data).SerializeToString(), options, ["CPUExecutionProvider"])
    while True:
        for batch in batches:
            session.run(None, {"tokens": batch})
            stopwatch.tick(batch.shape[1], batch.size)


def _model(data: Data) -> "onnx.ModelProto":
    """Embedding, GRU that resets after the product, log-probabilities of ids (T, B)."""
    settings, rng = data.params.model, np.random.default_rng(data.params.seed)
    units = settings.units
    shapes = {
        "embedding": (data.vocabulary_size, settings.embedding),
        "kernel": (1, 3 * units, settings.embedding),
        "recurrent": (1, 3 * units, units),
        "bias": (1, 6 * units),
        "softmax": (units, data.classes),
        "softmax_bias": (data.classes,),
    }
    nodes = [
        helper.make_node("Gather", ["embedding", "tokens"], ["embedded"]),
        helper.make_node(
            "GRU",
            ["embedded", "kernel", "recurrent", "bias"],
            ["", "last"],
            hidden_size=units,
            linear_before_reset=1,
        ),
        helper.make_node("Squeeze", ["last", "first"], ["state"]),
        helper.make_node("Gemm", ["state", "softmax", "softmax_bias"], ["logits"]),
        helper.make_node("LogSoftmax", ["logits"], ["scores"], axis=1),
    ]
    weights = [numpy_helper.from_array(rng.normal(0, 0.05, of).astype(np.float32), name) for name, of in shapes.items()]
    graph = helper.make_graph(
        nodes,
        "classifier",
        [helper.make_tensor_value_info("tokens", TensorProto.INT64, ("T", "B"))],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ("B", data.classes))],
        [*weights, numpy_helper.from_array(np.zeros(1, np.int64), "first")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
