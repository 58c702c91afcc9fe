import csv

import numpy as np
import pandas as pd

from lengthwise.reports.page.funnel import funnel, lengths


def test_funnel_says_what_the_counts_are(run):
    reading, sequences = funnel(run).text
    assert "320 files by 320 authors held 2,523 documents" in reading
    assert "would have read 1,453 (57.6\N{NO-BREAK SPACE}%): 193 files are not well-formed" in reading
    assert "Of 20,383 sentences, 581 were too short and 1,240 longer than the limit; 18,562 sequences" in sequences
    assert sequences.endswith("No author is in more than one split.")


def test_funnel_tells_of_a_leak(rewrite):
    leaking = rewrite("split.json", ('"authors_in_several_splits": 0', '"authors_in_several_splits": 7'))
    assert "7 authors in several splits" in funnel(leaking).text[1]


def test_lengths_has_the_median_of_the_training_sequences(run):
    with (run.files.folder / "metrics" / "train" / "classifier" / "lengths.csv").open(encoding="utf-8") as stream:
        sequences = [int(row["length"]) for row in csv.DictReader(stream) for _ in range(int(row["sequences"]))]
    median = int(np.quantile(sequences, 0.5, method="inverted_cdf"))
    assert lengths(run).text[0] == f"Half of the training sequences have at most {median} tokens; the longest has 30."


def test_lengths_names_the_most_and_the_least_padding_of_one_strategy_too(run):
    space = "\N{NO-BREAK SPACE}"
    said = lengths(run).text[1]
    assert f"under padded_to_longest and 0.0{space}% of 174,721 under exact; this run is padded." in said
    # 13,585 sequences, all as wide as the longest.
    assert f"57.1{space}% of the 407,550 time steps" in said
    path = run.files.folder / "metrics" / "train" / "classifier" / "batching.csv"
    pd.read_csv(path).head(1).to_csv(path, index=False)
    assert "time steps of an epoch under bucketed" in lengths(run).text[1]
