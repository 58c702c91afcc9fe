import io
import re
from xml.etree import ElementTree

import pandas as pd
import pytest
import yaml
from records import record_as_folder

from lengthwise.corpora.blogs.texts.named_runs import leak_block, leak_chart, result_blocks
from lengthwise.errors import FormatError
from lengthwise.runs.kept import Kept
from lengthwise.system.markdown import with_blocks

BLOCKS = ("folds", "article", "leak", "search", "best", "splits", "time", "ablations", "runs")
TIMES = ("time_padded", "time_bucketed", "time_padded_keras", "time_bucketed_keras")


def cells(block):
    """The rows of a block's first table, by their first cell."""
    lines = [line for line in block.splitlines() if line.startswith("| ")]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return {row[0]: row[1:] for row in rows}


def test_blocks_without_any_run_say_what_to_run_and_nothing_else(kept_folder):
    blocks = result_blocks(Kept(kept_folder))
    assert tuple(blocks) == BLOCKS
    assert blocks["article"] == '`article` has not been run: `make real CORPUS=path/to/corpus RUNS="article"`.'
    assert blocks["leak"].startswith("`article`, `leak_document` and `leak_author` have not been run: ")
    for name in ("folds", "time", "search", "best", "splits", "ablations"):
        assert "not been run" in blocks[name]
        assert "|" not in blocks[name]
    assert leak_chart(Kept(kept_folder)) is None


@pytest.mark.long
def test_blocks_of_all_runs_leave_nothing_out(root, keep_runs):
    kept = keep_runs(*yaml.safe_load((root / "results" / "runs.yaml").read_text(encoding="utf-8")))
    blocks = result_blocks(kept)
    assert set(kept.runs) == set(kept.named)
    assert not any("not been run" in block or "nan" in block for block in blocks.values())
    assert all(blocks.values())


def test_blocks_are_those_of_the_document(root, keep_runs):
    document = root / "docs" / "results.md"
    text = document.read_text(encoding="utf-8")
    assert re.findall(r"<!-- (\w+): ", text) == list(BLOCKS)
    made = with_blocks(document, result_blocks(keep_runs("article")))
    assert "| classifier, test | 0.3604 |" in made


def test_document_has_no_number_of_a_run_among_its_words(root):
    text = (root / "docs" / "results.md").read_text(encoding="utf-8")
    words = re.sub(r"<!-- (\w+): .*?<!-- /\1 -->", "", text, flags=re.DOTALL)
    assert re.findall(r"(?<![a-z])\d", words) == []


def test_article_shows_figures_beside_the_published_ones(keep_runs):
    kept = keep_runs("article")
    run = kept.runs["article"]
    rows = cells(result_blocks(kept)["article"])
    assert rows["classifier, test"] == ["0.3604", f"{run.figures('evaluate/classifier.json')['sentence_accuracy']:.4f}"]
    assert rows["seq2seq, test"] == ["0.3261", f"{run.figures('evaluate/seq2seq.json')['step_accuracy']:.4f}"]
    assert rows["seq2seq, train"] == ["0.3315", f"{run.figures('train/seq2seq.json')['train_accuracy']:.4f}"]
    padding = pd.read_csv(io.StringIO(run.text("train/classifier/batching.csv"))).set_index("strategy")
    assert rows["zeros a batch, padded"] == ["3,279.9", f"{padding.loc['padded', 'padding_per_batch']:,.1f}"]
    assert "20.0\N{NO-BREAK SPACE}% of the sentences for the test" in result_blocks(kept)["article"]


def test_leak_shows_the_runs_that_are_there_and_names_the_others(keep_runs, set_level):
    kept = keep_runs("article", "leak_author")
    set_level("leak_author", "linear", "sentence", "accuracy", 0.1234, 0.1, 0.2)
    block = leak_block(kept, "docs/leak.svg")
    rows = cells(block)
    assert list(rows) == ["split by", "---", "sentence", "author"]
    assert rows["split by"][:5] == ["authors on both sides", "majority", "linear", "classifier", "seq2seq"]
    assert rows["author"][2] == "0.123 (0.100 to 0.200)" != rows["sentence"][2]
    assert 'src="docs/leak.svg"' in block
    assert block.endswith('`leak_document` has not been run: `make real CORPUS=path/to/corpus RUNS="leak_document"`.')


def test_leak_chart_draws_every_model_of_every_split_with_its_figure(keep_runs, set_level):
    kept = keep_runs("article", "leak_document", "leak_author")
    set_level("leak_author", "classifier", "sentence", "accuracy", 0.9876, 0.9, 1.0)
    chart = ElementTree.fromstring(leak_chart(kept))
    texts = [element.text for element in chart.iter() if element.tag.endswith("text")]
    assert [text for text in texts if text.startswith("split by")] == [
        "split by sentence",
        "split by document",
        "split by author",
    ]
    assert texts.count("classifier") == texts.count("majority") == 3
    assert texts.count("0.988") == 1


@pytest.mark.sampled(1)
@pytest.mark.parametrize("task", ["classifier", "seq2seq"])
def test_times_are_ratios_of_sentences_a_second(keep_runs, write_times, task):
    kept = keep_runs(*TIMES)
    for name, speed in zip(TIMES, (500.0, 600.0, 50.0, 80.0), strict=True):
        with record_as_folder(kept.folder / f"{name}.json") as folder:
            write_times(folder, **{f"train_{task}": {"sequences_per_second": speed}})
    column = 2 + ["classifier", "seq2seq"].index(task)
    lines = [line for line in result_blocks(kept)["time"].splitlines() if line.startswith("| ")][2:]
    assert [line.strip("|").split(" | ")[column].strip() for line in lines] == ["1.30", "1.60", "1.20", "10.00", "7.50"]


def test_times_of_three_runs_are_those_of_the_pairs_that_are_there(keep_runs):
    block = result_blocks(keep_runs(*TIMES[:3]))["time"]
    table, missing = block.split("\n\n")
    command = 'make real CORPUS=path/to/corpus RUNS="time_bucketed_keras"'
    assert missing == f"`time_bucketed_keras` has not been run: `{command}`."
    shown = [tuple(cell.strip() for cell in line.strip("|").split(" | "))[:2] for line in table.splitlines()[2:]]
    assert shown == [
        ("buckets, of padded batches", "the article's"),
        ("buckets, of padded batches", "native"),
        ("native kernel, of Keras's, padded batches", "both"),
    ]


def test_times_of_one_run_are_no_table(keep_runs):
    block = result_blocks(keep_runs(TIMES[0]))["time"]
    assert block.startswith("`time_bucketed`, `time_padded_keras` and `time_bucketed_keras` have not been run")


def test_ablations_are_the_table_that_their_run_has_written(keep_runs):
    kept = keep_runs("ablations")
    written = kept.runs["ablations"].text("timing_ablations.md")
    block = result_blocks(kept)["ablations"]
    assert block.endswith(written.strip())
    # Not of its params: the seeds are in a file of the ablations' own.
    assert not [key for key in kept.runs["ablations"].all_params if key.startswith(("seeds", "ablations"))]
    epochs = kept.named["ablations"]["changes"]["train.epochs"]
    assert re.search(rf"\b{epochs} epochs? with a learning rate of 0\.001, each with 3 seeds\.", block)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("article", "metrics/shards.json"),
        ("article", "metrics/train/classifier/batching.csv"),
        ("leak_author", "metrics/split.json"),
        ("best_author", "metrics/evaluate/classifier/levels.csv"),
        ("ablations", "metrics/timing_ablations.md"),
        ("ablations", "params.yaml"),
    ],
)
def test_run_that_lacks_a_file_is_refused_by_the_files_name(keep_runs, name, file):
    kept = keep_runs(name)
    with record_as_folder(kept.folder / f"{name}.json") as folder:
        (folder / file).unlink()
    with pytest.raises(FormatError, match=rf"^{re.escape(file)} of \S*{name}\.json: cannot be read .*; check it out"):
        result_blocks(kept)
