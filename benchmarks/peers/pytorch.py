"""PyTorch as its users write it: `nn.GRU` over packed sequences, or over time-major ones of one length; fused Adam."""

import numpy as np

from lengthwise.batching.collate import Batch
from lengthwise.batching.stats import plan_stats
from peers.data import Data, cut, endless
from peers.processes import Stopwatch, Unavailable

try:
    import torch
    from torch.nn import functional
    from torch.nn.utils.rnn import pack_padded_sequence
except ImportError as error:
    raise Unavailable(f"PyTorch cannot be imported ({error})") from None


class Classifier(torch.nn.Module):
    """Embedding, GRU, dropout on the last relevant output, logits."""

    def __init__(self, data: Data, *, packed: bool) -> None:
        super().__init__()
        settings = data.params.model
        self.embedding = torch.nn.Embedding(data.vocabulary_size, settings.embedding)
        self.gru = torch.nn.GRU(settings.embedding, settings.units, batch_first=packed)
        self._packed = packed
        self.dropout = torch.nn.Dropout(settings.dropout)
        self.softmax = torch.nn.Linear(settings.units, data.classes)

    def forward(self, tokens: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Logits (B, C) of ids (B, T), packed and then embedded: padding costs no look-up. Of one length: (T, B)."""
        if not self._packed:
            _, last = self.gru(self.embedding(tokens))
            return self.softmax(self.dropout(last[-1]))
        packed = pack_padded_sequence(tokens, lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed._replace(data=self.embedding(packed.data)))
        return self.softmax(self.dropout(last[-1]))


def run(
    data: Data, stopwatch: Stopwatch, *, batching: str, threads: int, packed: bool = True, compiled: bool = False
) -> None:
    """Train without end.

    Args:
        data: the task, and what on.
        stopwatch: what to count on.
        batching: a strategy's name, whose batches are cut beforehand.
        threads: of PyTorch within an operation.
        packed: whether rows are packed; else all of a batch have one length.
        compiled: whether the model is compiled.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(data.params.seed)
    plan = data.plan(batching)
    stopwatch.padding_share = plan_stats(plan).padding_share
    batches = [_tensors(batch, packed=packed) for batch in cut(plan, data.sequences)]
    model = Classifier(data, packed=packed)
    optimizer = torch.optim.Adam(model.parameters(), data.params.optimizer.learning_rate, fused=True)
    predict = torch.compile(model, dynamic=False) if compiled else model
    for tokens, lengths, labels in endless(batches, data.params.seed):
        optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(predict(tokens, lengths), labels).backward()
        optimizer.step()
        stopwatch.tick(len(labels), int(lengths.sum()))


def _tensors(batch: Batch, *, packed: bool) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Ids, lengths and labels in the types that need no conversion."""
    arrays = (batch.tokens, batch.lengths, batch.labels)
    tokens, lengths, labels = (torch.from_numpy(array.astype(np.int64)) for array in arrays)
    return tokens if packed else tokens.T.contiguous(), lengths, labels
