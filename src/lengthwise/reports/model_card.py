"""The model card (Mitchell et al., 2019): what the networks are for, made of, worth, and made with.

Its numbers are those of a run's metrics, of `dvc.lock` and of `requirements.lock`; what it says of a corpus, the corpus
brings with it.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lengthwise.errors import FormatError
from lengthwise.names import LABEL_TASKS, SPLITS
from lengthwise.reports.markdown import code, table
from lengthwise.reports.results import results_table
from lengthwise.reports.run import Run
from lengthwise.reports.run_files import read_text
from lengthwise.reports.words import count, listed, percent, records

SECTIONS = ("ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate")
# Of the section train: keys that came later, and what may be a place on somebody's disk.
LATER_KEYS = ("best", "patience", "class_weights")
VECTORS_KEY = "train.model.vectors_file"
PACKAGES = ("tensorflow", "keras", "spacy", "pyarrow", "numpy", "pandas", "scikit-learn", "dvc")

HEAD = """\
# Model card

Written by `make readme` from `metrics/`, `dvc.lock` and `requirements.lock`: no number is typed by hand."""


@dataclass(frozen=True)
class CardWords:
    """What a corpus has to say in the card, in Markdown.

    Attributes:
        use: what the networks are for and what not; `{wrong}` is where it says how often they are wrong.
        terms: of the corpus and of networks that were trained on it.
        invented: of a run on the sample, which is invented.
    """

    use: str = "{wrong}"
    terms: str = ""
    invented: str = "**This run is on a sample, which is invented.**"


def model_card(run: Run, words: CardWords, requirements: Path, project: Path) -> str:
    """The card as Markdown.

    Args:
        run: whose networks it is of.
        words: of its corpus.
        requirements: the file `requirements.lock`.
        project: the file `pyproject.toml`.

    Raises:
        FormatError: a file is absent or lacks what the card needs.
    """
    parts = {
        "Model": _model(run),
        "Use and misuse": words.use.format(wrong=_wrong(run)),
        "Data and its terms": "\n\n".join(
            filter(None, [words.invented if run.on_sample else "", _data(run), words.terms])
        ),
        "Split": _split(run),
        "Results": _results(run),
        "Cost": _cost(run),
        "Digests": _digests(run),
        "Environment": _environment(requirements, project),
    }
    return "\n\n".join([HEAD, *(f"## {title}\n\n{text}" for title, text in parts.items())]) + "\n"


def _model(run: Run) -> str:
    train, unit = run.params("train"), run.params("shards")["unit"]
    classes = _classes(run)
    settings = {f"train.model.{key}": value for key, value in train["model"].items()}
    settings |= {f"train.batching.{key}": train["batching"][key] for key in ("strategy", "batch_size")}
    settings |= {f"train.optimizer.{key}": value for key, value in train["optimizer"].items()}
    # What runs of before had not, they did not do.
    settings |= {f"train.{key}": train[key] for key in ("epochs", "seed", *LATER_KEYS) if key in train}
    if VECTORS_KEY in settings:
        # The name alone: they may be anywhere.
        settings[VECTORS_KEY] = Path(settings[VECTORS_KEY]).name
    rows = [(code(key), code(json.dumps(value))) for key, value in settings.items()]
    known = count(run.figures("vocabulary.json")["entries"])
    return (
        f"Two recurrent networks of one architecture: `classifier` is read once a {unit}, `seq2seq` at every time "
        f"step. They tell {len(classes)} classes apart: {listed(classes)}. Both know {known} tokens and have these "
        f"settings:\n\n{table(('key', 'value'), rows)}"
    )


def _classes(run: Run) -> list[str]:
    level = str(run.levels["level"].iloc[0])
    pairs = run.table(f"evaluate/{LABEL_TASKS[0]}/confusion_{level}.csv", ("actual", "predicted"), ("count",))
    return list(dict.fromkeys(pairs["actual"]))


def _wrong(run: Run) -> str:
    """How often the networks are wrong where they know most of a person."""
    level = run.levels["level"].iloc[-1]
    rows = [
        row
        for row in records(run.levels)
        if (row.level, row.metric) == (level, "accuracy") and row.model in LABEL_TASKS
    ]
    shares = listed([f"{row.model} in {percent(1 - row.value)}" for row in rows])
    return f"They are wrong, even given all that a test {level} wrote: {shares} of the cases."


def _data(run: Run) -> str:
    ingest, tokens, shards = (run.figures(f"{name}.json") for name in ("ingest", "tokens", "shards"))
    limits = run.params("shards")
    rows = [
        # The name alone: the corpus may be anywhere.
        ("corpus", code(Path(run.params("ingest")["source"]).name)),
        *((name, count(ingest[name])) for name in ("files", "authors", "documents")),
        ("sentences", count(tokens["sentences"])),
        ("tokens", count(tokens["tokens"])),
        ("shortest sequence, in tokens", limits["min_length"]),
        ("longest sequence, in tokens", limits["max_length"] or "any"),
        *(
            (f"sequences {name}", count(shards[f"sequences_{name.replace(' ', '_')}"]))
            for name in ("too short", "too long", "kept")
        ),
    ]
    return table(("what", "how many"), rows)


def _split(run: Run) -> str:
    split, shards, params = run.figures("split.json"), run.figures("shards.json"), run.params("split")
    counted = [name.removeprefix("test_") for name in split if name.startswith("test_")]
    rows = [(name.replace("_", " "), *(count(split[f"{part}_{name}"]) for part in SPLITS)) for name in counted]
    for name, key in (("sequences", "rows"), ("tokens of sequences", "tokens")):
        rows.append((name, *(count(shards[f"{part}_{key}"]) for part in SPLITS)))
    several = [count(split[f"{kind}s_in_several_splits"], kind) for kind in ("author", "document")]
    return (
        f"By {params['by']}, seed {params['seed']}: {listed(several)} in several splits.\n\n"
        f"{table(('what', *SPLITS), rows)}"
    )


def _results(run: Run) -> str:
    params, cells = run.params("evaluate"), results_table(run).fillna("")
    resamples, authors = count(params["bootstrap_samples"]), count(run.figures("split.json")["test_authors"])
    text = [
        f"On the test split. In brackets {100 * params['confidence']:g} % intervals, a bootstrap of {resamples} "
        f"resamples of the {authors} test authors; they do not speak of other training runs. What is said of a "
        "document or an author pools what is said of its sequences."
    ]
    for level in dict.fromkeys(run.levels["level"]):
        of_level = cells.xs(level, level="level")
        rows = [(name.replace("_", " "), *row) for name, row in zip(of_level.index, of_level.to_numpy(), strict=True)]
        text.append(f"### By {level}\n\n{table(('metric', *of_level.columns), rows)}")
    return "\n\n".join(text)


def _cost(run: Run) -> str:
    figures = {task: run.figures(f"train/{task}/cost.json") for task in LABEL_TASKS}
    names = {"parameters": "parameters", "steps of the optimizer": "steps", "batches an epoch": "batches"}
    rows = [(name, *(count(figures[task][key]) for task in LABEL_TASKS)) for name, key in names.items()]
    rows.append(
        ("padding among an epoch's time steps", *(percent(figures[task]["padding_share"]) for task in LABEL_TASKS))
    )
    return (
        f"{table(('what', *LABEL_TASKS), rows)}\n\n"
        "Time and memory differ from run to run: `data/timing` has them, which DVC's cache keeps."
    )


def _digests(run: Run) -> str:
    source = run.params("ingest")["source"]
    paths = {"corpus": source, "documents": "data/documents.parquet", "split": "data/split.parquet"}
    paths |= {"vocabulary": "data/vocabulary.tsv", "sequences": "data/shards"}
    paths |= {task: f"data/models/{task}" for task in LABEL_TASKS}
    rows = [(name, code(run.digest(path)), "MD5, as in `dvc.lock`") for name, path in paths.items()]
    params = json.dumps({section: run.params(section) for section in SECTIONS}, sort_keys=True)
    rows.append(("params", code(hashlib.sha256(params.encode()).hexdigest()), "SHA-256 of their JSON, keys sorted"))
    return table(("what", "digest", "kind"), rows)


def _environment(requirements: Path, project: Path) -> str:
    try:
        versions, python = locked_versions(read_text(requirements)), tomllib.loads(read_text(project))
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"{project}: is not TOML ({error}); check it out again") from error
    if missing := [name for name in PACKAGES if name not in versions]:
        raise FormatError(f"{requirements}: does not pin {missing[0]}; expected {', '.join(PACKAGES)}; run make lock")
    pinned = [("python", code(python["project"]["requires-python"])), *((name, versions[name]) for name in PACKAGES)]
    return (
        f"What `requirements.lock` pins:\n\n{table(('package', 'version'), pinned)}\n\n"
        "What a run's networks were trained with, and on which processor, is in `data/timing/environment_<task>.json`."
    )


def locked_versions(lock: str) -> Mapping[str, str]:
    """The versions that a lock file pins, by package; each with its condition if there are several."""
    versions: dict[str, str] = {}
    for name, version, condition in re.findall(r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+))?", lock, re.MULTILINE):
        shown = code(version) + (f" ({condition.strip()})" if condition else "")
        versions[name] = f"{versions[name]}, {shown}" if name in versions else shown
    return versions
