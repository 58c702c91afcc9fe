"""Every legal name of the library, once: as a type for those who check types, and as a tuple for those who look it up.

What reads params, refuses them, builds layers and writes documents takes the names from here. A name that is added
here without a class or a function behind it is found by the tests.
"""

from typing import Literal, get_args

# What is predicted: once a sequence, or at every step.
Task = Literal["classifier", "seq2seq", "tagger", "regressor", "language_model"]
TASKS: tuple[Task, ...] = get_args(Task)
# Those that predict the label of a sequence: the article's two.
LABEL_TASKS: tuple[Task, ...] = ("classifier", "seq2seq")
# Those that predict at every step, and those of them whose steps have a target of their own.
EVERY_STEP_TASKS: tuple[Task, ...] = ("seq2seq", "tagger", "language_model")
STEP_TASKS: tuple[Task, ...] = ("tagger", "language_model")

# What a sequence is, from the finest to the coarsest; predictions are pooled to the coarser ones. A group is what is
# held out together: all of an author, say.
Unit = Literal["sentence", "document", "group"]
UNITS: tuple[Unit, ...] = get_args(Unit)

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)

# What a value per step is: of an open set, which the vocabulary counts; of a closed one; or a vector of numbers.
StepKind = Literal["tokens", "tags", "features"]

# What a text is cut into: words and marks, by spaCy; what stands between blanks; characters; or the bytes of UTF-8.
TokenUnit = Literal["words", "blanks", "characters", "bytes"]
TOKEN_UNITS: tuple[TokenUnit, ...] = get_args(TokenUnit)
# Those that have characters within.
WORDLIKE: tuple[TokenUnit, ...] = ("words", "blanks")

# What is in one split only; `place` cuts every document: its beginning is for training, its end for the test.
SplitBy = Literal["sentence", "document", "group", "place"]

# What becomes of a sequence that is too long.
TooLong = Literal["drop", "truncate", "split"]

# Where a row is filled up: behind its steps, or before them.
Padding = Literal["post", "pre"]
PADDINGS: tuple[Padding, ...] = get_args(Padding)

Input = Literal["embedding", "one_hot"]
INPUTS: tuple[Input, ...] = get_args(Input)

FrontEnd = Literal["conv1d", "none"]
FRONT_ENDS: tuple[FrontEnd, ...] = get_args(FrontEnd)

ConvPadding = Literal["causal", "same", "valid"]
CONV_PADDINGS: tuple[ConvPadding, ...] = get_args(ConvPadding)

# By name, where the class of a recurrent cell is. The class itself would need TensorFlow, for which nobody who reads
# params waits; `lengthwise.layers.cells.CELLS` has the classes.
CELL_PLACES: dict[str, str] = {
    "gru": "lengthwise.layers.cells.GRUCell",
    "layer_norm_gru": "lengthwise.layers.cells.LayerNormGRUCell",
    "layer_norm_lstm": "lengthwise.layers.cells.LayerNormLSTMCell",
    "layer_norm_simple": "lengthwise.layers.cells.LayerNormSimpleCell",
    "lstm": "lengthwise.layers.cells.LSTMCell",
    "peephole_lstm": "lengthwise.layers.cells.PeepholeLSTMCell",
    "simple": "lengthwise.layers.cells.SimpleCell",
}
# Cells that the native kernel computes, with tanh: those of this package.
NATIVE_CELLS = (
    "gru",
    "layer_norm_gru",
    "layer_norm_lstm",
    "layer_norm_simple",
    "lstm",
    "peephole_lstm",
    "simple",
)

Activation = Literal["elu", "gelu", "linear", "relu", "selu", "sigmoid", "softsign", "tanh"]
ACTIVATIONS: tuple[Activation, ...] = get_args(Activation)
# Activations that do not saturate.
UNBOUNDED: tuple[Activation, ...] = ("elu", "gelu", "linear", "relu", "selu")

InitialState = Literal["learned", "zeros"]
INITIAL_STATES: tuple[InitialState, ...] = get_args(InitialState)

# What a classifier reads of a sequence's outputs.
Readout = Literal["attention", "gated", "last", "max", "mean", "mean_max"]
READOUTS: tuple[Readout, ...] = get_args(Readout)
# Those that weight steps by what they learn.
ATTENTION_READOUTS: tuple[Readout, ...] = ("attention", "gated")

# What is read of a second network, over the sequences of a group; none: sequences are predicted each by itself.
Outer = Literal["none", Readout]
OUTERS: tuple[Outer, ...] = get_args(Outer)

# What computes a recurrent layer; `auto` is the native kernel where it can be built and has the cell.
Kernel = Literal["auto", "keras", "native"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)

Schedule = Literal["constant", "cosine", "linear"]
SCHEDULES: tuple[Schedule, ...] = get_args(Schedule)

# What takes the steps of training.
OptimizerName = Literal["adam", "adamw", "sgd"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)

# By which figure of the validation split the best epoch is found; `none`: the last epoch is as good as any.
BestBy = Literal["none", "loss", "accuracy"]

# How much the classes count in what training makes small.
ClassWeighting = Literal["none", "balanced"]
# The tasks that predict one of few classes.
WEIGHTED_TASKS: tuple[Task, ...] = ("classifier", "seq2seq", "tagger")
