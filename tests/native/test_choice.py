import pytest
import tensorflow as tf

from lengthwise.core.names import KERNELS, NATIVE_CELLS
from lengthwise.errors import InstructionSetError, KernelError
from lengthwise.layers.cells import CELLS
from lengthwise.layers.recurrent import Recurrent
from lengthwise.native import choice
from lengthwise.native.choice import choose_kernel
from lengthwise.pipeline.settings import conflicts


@pytest.fixture
def loads(monkeypatch):
    # Stands for the library; the list is of its loads.
    made = []
    choice._loads.cache_clear()
    monkeypatch.setattr(choice, "load", lambda: made.append("load"))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [])
    yield made
    choice._loads.cache_clear()


@pytest.fixture
def without_library(loads, monkeypatch):
    def refuse():
        loads.append("load")
        raise KernelError("native kernel: got no compiler 'g++'")

    monkeypatch.setattr(choice, "load", refuse)
    return loads


@pytest.mark.parametrize("cell", NATIVE_CELLS)
def test_choose_kernel_takes_the_native_one_where_it_is_there(loads, cell, capsys):
    assert choose_kernel("auto", cell, "tanh") == "native"
    assert choose_kernel("native", cell, "tanh") == "native"
    assert choose_kernel("keras", cell, "tanh") == "keras"
    assert capsys.readouterr() == ("", "")


def test_choose_kernel_goes_on_with_keras_and_says_so_in_one_line_once(without_library, capsys):
    for cell in NATIVE_CELLS * 2:
        assert choose_kernel("auto", cell, "tanh") == "keras"
    assert not any(Recurrent(CELLS[cell](3)).native for cell in NATIVE_CELLS)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "native kernel: got no compiler 'g++'; goes on with the Keras layer\n"
    assert len(without_library) == 1


@pytest.mark.parametrize("kernel", ["auto", "native"])
def test_choose_kernel_goes_on_with_nothing_else_if_the_instruction_set_is_not_to_be_had(loads, monkeypatch, kernel):
    def refuse():
        raise InstructionSetError("LENGTHWISE_KERNEL_ARCH: got 'v9'")

    monkeypatch.setattr(choice, "load", refuse)
    for _ in range(2):
        with pytest.raises(InstructionSetError, match="got 'v9'"):
            choose_kernel(kernel, "gru", "tanh")
    assert choose_kernel("keras", "gru", "tanh") == "keras"


@pytest.mark.parametrize("cell", NATIVE_CELLS)
def test_choose_kernel_that_has_to_be_native_raises_where_it_is_not_there(without_library, cell, capsys):
    for _ in range(2):
        with pytest.raises(KernelError, match="got no compiler"):
            choose_kernel("native", cell, "tanh")
    with pytest.raises(KernelError, match="got no compiler"):
        Recurrent(CELLS[cell](3), kernel="native")
    assert choose_kernel("keras", cell, "tanh") == "keras"
    assert capsys.readouterr() == ("", "")


OTHERS = [
    *((cell, "tanh") for cell in sorted({*CELLS, "LSTMCell", "peephole_gru"} - set(NATIVE_CELLS))),
    *((cell, activation) for cell in NATIVE_CELLS for activation in ("relu", "linear", "Tanh", "")),
]


@pytest.mark.parametrize(("cell", "activation"), OTHERS)
def test_choose_kernel_leaves_to_keras_what_it_does_not_compute(loads, cell, activation, capsys):
    assert choose_kernel("auto", cell, activation) == "keras"
    assert choose_kernel("keras", cell, activation) == "keras"
    with pytest.raises(
        KernelError, match=rf"got the cell {cell} .*expected {', '.join(NATIVE_CELLS)} with tanh"
    ) as caught:
        choose_kernel("native", cell, activation)
    assert "\n" not in str(caught.value)
    assert loads == []
    assert capsys.readouterr() == ("", "")


def test_choose_kernel_takes_keras_on_a_gpu_unless_it_has_to_be_native(loads, monkeypatch):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"] if kind in (None, "GPU") else [])
    assert choose_kernel("auto", "gru", "tanh") == "keras"
    assert loads == []
    assert choose_kernel("native", "gru", "tanh") == "native"


@pytest.mark.parametrize("kernel", ["cuda", "Native", "", None, True])
def test_choose_kernel_refuses_a_kernel_that_does_not_exist(loads, kernel):
    for cell in ("gru", "layer_norm_gru"):
        with pytest.raises(ValueError, match=rf"kernel: got {kernel!r}; expected one of auto, keras, native"):
            choose_kernel(kernel, cell, "tanh")
    assert KERNELS == ("auto", "keras", "native")


def test_native_cells_are_those_that_params_are_checked_for():
    assert conflicts.NATIVE_CELLS == NATIVE_CELLS
    assert set(NATIVE_CELLS) <= set(CELLS)
