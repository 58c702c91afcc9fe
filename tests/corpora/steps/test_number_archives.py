import io
import pickle
import zipfile

import numpy as np
import pytest

from lengthwise.errors import CorpusError

X = np.arange(10, dtype=np.float32).reshape(5, 2)


class Evil:
    """What runs a command when it is unpickled."""

    def __reduce__(self):
        return (open, ("/dev/null",))


def archive(path, **arrays):
    np.savez(path, **arrays)
    return path


def lists(documents, column=0):
    return [np.asarray(document.steps[column]).tolist() for document in documents]


PARTS = [X[:2].tolist(), X[2:].tolist()]


@pytest.mark.parametrize(
    "arrays",
    [
        {"x": X, "lengths": np.array([2, 3])},
        {"x": X, "offsets": np.array([0, 2, 5])},
        {"x": np.asfortranarray(X), "lengths": np.array([2, 3], np.uint8)},
        {"x": np.stack([np.vstack([X[:2], X[:2]]), np.vstack([X[2:], X[:1]])]), "lengths": np.array([2, 3])},
        {"x": X.astype(">f8"), "offsets": np.array([0, 2, 5], np.int32)},
    ],
)
def test_flat_and_padded_arrays_are_the_same_sequences(tmp_path, read_all, arrays):
    form, documents, _ = read_all(archive(tmp_path / "a.npz", **arrays), features=["x"])
    assert lists(documents) == PARTS
    assert form.steps[0].size == 2


def test_arrays_without_lengths_are_sequences_of_one_length(tmp_path, read_all):
    source = archive(tmp_path / "a.npz", x=np.arange(12.0).reshape(2, 3, 2), tag=np.array([[1, 2, 1], [2, 2, 2]]))
    _form, documents, _ = read_all(source, features=["x"], tags=["tag"])
    assert lists(documents) == [[0, 1, 0], [1, 1, 1]]
    assert lists(documents, 1) == [[[0, 1], [2, 3], [4, 5]], [[6, 7], [8, 9], [10, 11]]]


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ({"x": np.arange(5.0)}, "has neither lengths nor offsets"),
        ({"x": X, "lengths": np.array([2, 2])}, r"x has the shape \(5, 2\); expected \(4, ...\)"),
        ({"x": X, "lengths": np.array([7, -2])}, "lengths do not rise from 0"),
        ({"x": X, "lengths": np.array([2.0, 3.0])}, "lengths is float64"),
        ({"x": X, "offsets": np.array([1, 5])}, "offsets do not rise from 0"),
        ({"x": np.array(3.0), "lengths": np.array([1])}, r"x has the shape \(\)"),
        ({"x": np.array(3.0)}, "has neither lengths nor offsets"),
        ({"x": X, "lengths": np.array(5)}, r"lengths is int64 \(\)"),
        ({"y": X}, "has no column 'x'; expected one of y"),
        ({"x": np.array(list("abcde")), "lengths": np.array([5])}, "x is <U1; expected numbers"),
        ({"x": X.astype(complex), "lengths": np.array([5])}, "x is complex128; expected numbers"),
        ({"x": np.zeros(5, "f4,f4"), "lengths": np.array([5])}, "has Python objects or records"),
        ({"x": X[None].repeat(2, 0), "lengths": np.array([6, 5])}, r"expected \(11, ...\)"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(tmp_path, read_all, arrays, expected):
    source = archive(tmp_path / "a.npz", **arrays)
    with pytest.raises(CorpusError, match=expected) as caught:
        read_all(source, features=["x"])
    assert "\n" not in str(caught.value)


def test_sequences_without_steps_are_counted(tmp_path, read_all):
    source = archive(tmp_path / "a.npz", x=X, lengths=np.array([2, 0, 3]))
    _, documents, counts = read_all(source, features=["x"])
    assert lists(documents) == PARTS
    assert counts["sequences_without_steps"] == 1
    source = archive(tmp_path / "a.npz", x=np.zeros((0, 2)), lengths=np.array([0, 0]))
    with pytest.raises(CorpusError, match="has no sequence to read: 2 without steps and 0 that lack a value"):
        read_all(source, features=["x"])


def test_a_label_for_each_sequence_is_expected(tmp_path, read_all):
    source = archive(tmp_path / "a.npz", x=X, lengths=np.array([2, 3]), kind=np.array(["a", "b", "c"]))
    with pytest.raises(CorpusError, match=r"kind has the shape \(3,\); expected \(2,\)"):
        read_all(source, features=["x"], label="kind")


def test_python_objects_are_refused_and_nothing_is_run(tmp_path, read_all, monkeypatch):
    ran = []
    monkeypatch.setattr(pickle, "load", lambda *args, **more: ran.append(args))
    monkeypatch.setattr(pickle, "loads", lambda *args, **more: ran.append(args))
    source = archive(tmp_path / "a.npz", x=np.array([Evil()], object), lengths=np.array([1]))
    with pytest.raises(CorpusError, match="x has Python objects"):
        read_all(source, features=["x"])
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Evil(), 4))
    with pytest.raises(CorpusError, match="it is a pickle, which is never opened"):
        read_all(tmp_path / "b.npz", features=["x"])
    np.save(tmp_path / "c.npy", X)
    with pytest.raises(CorpusError, match="it is a single array"):
        read_all(tmp_path / "c.npy", features=["x"])
    assert ran == []


def member(header, data=b""):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as file:
        text = header.encode().ljust(117) + b"\n"
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data)
        lengths = io.BytesIO()
        np.save(lengths, np.array([1]))
        file.writestr("lengths.npy", lengths.getvalue())
    return sink.getvalue()


SHAPE = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (member(SHAPE % 10**12), r"x has [0-9]+ MiB; expected at most 1; raise ingest.max_member_mb"),
        (member(SHAPE % 300_000, bytes(1_200_000)), "x has 1 MiB; expected at most 1"),
        (member(SHAPE % 9, bytes(8)), "cannot be read .*; expected an .npz of plain arrays"),
        (member(SHAPE % 2, bytes(9)), "cannot be read"),
        (member("{'descr': __import__('os').system('true')}"), "cannot be read"),
        (member(SHAPE % -1), r"the shape \(-1,\)"),
        (b"PK\x03\x04 and nothing", "cannot be read"),
    ],
)
def test_archives_that_lie_or_burst_are_refused_in_a_line(tmp_path, read_all, content, expected):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CorpusError, match=expected) as caught:
        read_all(tmp_path / "a.npz", features=["x"])
    assert "\n" not in str(caught.value)
