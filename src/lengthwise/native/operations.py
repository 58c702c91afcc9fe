"""The library of native operations as TensorFlow loads it, with their gradients."""

from functools import cache
from typing import Any

import tensorflow as tf

from lengthwise.errors import KernelError
from lengthwise.native.build import library
from lengthwise.native.compiling import is_whole
from lengthwise.native.second_order import second_gradient


@cache
def load() -> Any:  # noqa: ANN401 - a module that TensorFlow makes.
    """The operations, built where they are not, their gradient registered.

    Raises:
        KernelError: the library cannot be built or loaded.
    """
    path = library()
    remedy = "remove it to build it anew"
    if not is_whole(path):
        raise KernelError(f"native kernel: {path} cannot be loaded (it is not what was built); {remedy}")
    try:
        operations = tf.load_op_library(str(path))
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise KernelError(f"native kernel: {path} cannot be loaded ({reason}); {remedy}") from error

    def gradient(operation: tf.Operation, by_outputs: tf.Tensor, by_last: tf.Tensor, _: tf.Tensor) -> list[Any]:
        attributes = {name: operation.get_attr(name) for name in ("cell", "projected", "read_all")}
        by_inputs, *others = operations.lengthwise_ragged_recurrent_grad(
            *operation.inputs, operation.outputs[2], by_outputs, by_last, **attributes
        )
        return [by_inputs, None, None, None, None, *others, None]

    def gradient_of_gradient(operation: tf.Operation, *upstream: tf.Tensor) -> list[Any]:
        attributes = {name: operation.get_attr(name) for name in ("cell", "projected", "read_all")}
        attributes["cell"] = tf.compat.as_str(attributes["cell"])
        *arguments, _, by_outputs, by_last = operation.inputs
        *found, by_by_outputs, by_by_last = second_gradient(arguments, [by_outputs, by_last], upstream, attributes)
        return [*found, None, by_by_outputs, by_by_last]

    def dropout_gradient(operation: tf.Operation, by_dropped: tf.Tensor) -> list[Any]:
        seed, rate = operation.inputs[1], operation.get_attr("rate")
        return [operations.lengthwise_dropout(by_dropped, seed, rate=rate), None]

    def sum_rows_gradient(operation: tf.Operation, by_sums: tf.Tensor) -> list[Any]:
        rows, which = operation.inputs
        return [operations.lengthwise_sum_rows_grad(by_sums, which, tf.shape(rows)[0]), None]

    def sum_rows_gradient_of_gradient(operation: tf.Operation, upstream: tf.Tensor) -> list[Any]:
        return [operations.lengthwise_sum_rows(upstream, operation.inputs[1]), None, None]

    tf.RegisterGradient("LengthwiseRaggedRecurrent")(gradient)
    tf.RegisterGradient("LengthwiseRaggedRecurrentGrad")(gradient_of_gradient)
    tf.RegisterGradient("LengthwiseDropout")(dropout_gradient)
    tf.RegisterGradient("LengthwiseSumRows")(sum_rows_gradient)
    tf.RegisterGradient("LengthwiseSumRowsGrad")(sum_rows_gradient_of_gradient)
    tf.no_gradient("LengthwiseConvolutionSteps")
    tf.no_gradient("LengthwiseSharedProducts")
    tf.no_gradient("LengthwiseRaggedLayout")
    tf.no_gradient("LengthwiseMirroredLayout")
    tf.no_gradient("LengthwiseFlatBatch")
    return operations
