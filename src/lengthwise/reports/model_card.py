"""The model card (Mitchell et al., 2019): what the networks are for, made of, worth, and made with.

Its numbers are those of a run's metrics, of `dvc.lock` and of `requirements.lock`; what it says of a corpus, the corpus
brings with it.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from lengthwise.core.names import SPLITS
from lengthwise.errors import FormatError
from lengthwise.evaluation.baseline_names import model_of
from lengthwise.reports.metric_words import metric_phrase
from lengthwise.reports.results import cells_of
from lengthwise.reports.words import count, listed, percent, records
from lengthwise.runs.rivals import resampled_groups, rivals_of
from lengthwise.runs.run import Run
from lengthwise.system.files import read_text
from lengthwise.system.markdown import code, table
from lengthwise.system.templates import templates_of

SECTIONS = ("ingest", "tokens", "split", "vocabulary", "shards", "train", "baselines", "evaluate")
# Of the section train: keys that came later, and what may be a place on somebody's disk.
LATER_KEYS = ("best", "patience", "class_weights")
# What each task predicts, in the card's words.
TARGETS = {
    "classifier": "one class for a whole sequence",
    "seq2seq": "that class after every step",
    "tagger": "a tag at every step",
    "regressor": "numbers for a whole sequence",
    "language_model": "the next token at every step",
}
NUMBERS = dict(enumerate(("No", "One", "Two", "Three", "Four", "Five")))
# Longer lists of classes are not read.
MOST_CLASSES = 40
VECTORS_KEY = "train.model.vectors_file"
PACKAGES = ("tensorflow", "keras", "spacy", "pyarrow", "numpy", "pandas", "scikit-learn", "dvc")
TEMPLATES = templates_of("lengthwise.reports")


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
    split, evaluated = run.params("split"), run.params("evaluate")
    entries = run.figures("vocabulary.json").get("entries", 0)
    return TEMPLATES.get_template("model_card.md.j2").render(
        run=run,
        numbers=NUMBERS,
        tasks=listed([f"{code(task)} predicts {TARGETS[task]}" for task in run.tasks]),
        classes=_classes(run),
        known=count(entries) if entries else "",
        settings=_settings(run),
        use=words.use.format(wrong=_wrong(run)),
        invented=words.invented if run.on_sample else "",
        data=_data(run),
        terms=words.terms,
        split_by=split,
        several_splits=_several(run),
        split=_split(run),
        confidence=f"{100 * evaluated['confidence']:g}",
        resamples=count(evaluated["bootstrap_samples"]),
        groups=resampled_groups(run),
        results=list(_results(run)),
        cost=_cost(run),
        digests=_digests(run),
        environment=_environment(requirements, project),
    )


def _settings(run: Run) -> str:
    train = run.params("train")
    settings = {f"train.model.{key}": value for key, value in train["model"].items()}
    settings |= {f"train.batching.{key}": train["batching"][key] for key in ("strategy", "batch_size")}
    settings |= {f"train.optimizer.{key}": value for key, value in train["optimizer"].items()}
    # What runs of before had not, they did not do.
    settings |= {f"train.{key}": train[key] for key in ("epochs", "seed", *LATER_KEYS) if key in train}
    if VECTORS_KEY in settings:
        # The name alone: they may be anywhere.
        settings[VECTORS_KEY] = Path(settings[VECTORS_KEY]).name
    return table(("key", "value"), [(code(key), code(json.dumps(value))) for key, value in settings.items()])


def _classes(run: Run) -> str:
    """The classes of what the networks predict, where there are classes and not too many."""
    for rivals in rivals_of(run):
        for level in rivals.first_metric:
            name = f"evaluate/{rivals.tasks[0]}/confusion_{level}.csv"
            if run.has(name):
                pairs = run.table(name, ("actual", "predicted"), ("count",))
                classes = list(dict.fromkeys(pairs["actual"]))
                named = f": {listed(classes)}" if len(classes) <= MOST_CLASSES else ""
                return f" The classes are {len(classes)}{named}."
    return ""


def _wrong(run: Run) -> str:
    """How often the networks are wrong where they know most of what is held out together."""
    said = []
    for rivals in rivals_of(run):
        level, metric = list(rivals.first_metric.items())[-1]
        rows = records(rivals.levels[(rivals.levels["level"] == level) & (rivals.levels["metric"] == metric)])
        of = {row.model: row.value for row in rows if row.model in rivals.tasks}
        if metric == "accuracy":
            shares = listed([f"{task} in {percent(1 - value)}" for task, value in of.items()])
            said.append(f"They are wrong, even given all of a test {level}: {shares} of the cases.")
        else:
            said.append(
                listed([f"By {level}, {task} has {metric_phrase(metric, f'{of[task]:.3f}')}" for task in of]) + "."
            )
    return " ".join(said)


def _data(run: Run) -> str:
    ingest, tokens, shards = (run.figures(f"{name}.json") for name in ("ingest", "tokens", "shards"))
    limits = run.params("shards")
    rows = [
        # The name alone: the corpus may be anywhere.
        ("corpus", code(Path(run.params("ingest")["source"]).name)),
        *((name, count(ingest[name])) for name in ("files", "authors", "documents") if name in ingest),
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
    split, shards = run.figures("split.json"), run.figures("shards.json")
    counted = [name.removeprefix("test_") for name in split if name.startswith("test_")]
    rows = [(name.replace("_", " "), *(count(split[f"{part}_{name}"]) for part in SPLITS)) for name in counted]
    for name, key in (("sequences", "rows"), ("tokens of sequences", "tokens")):
        rows.append((name, *(count(shards[f"{part}_{key}"]) for part in SPLITS)))
    return table(("what", *SPLITS), rows)


def _several(run: Run) -> str:
    behind = "s_in_several_splits"
    found = run.figures("split.json").items()
    return listed([count(number, name.removesuffix(behind)) for name, number in found if name.endswith(behind)])


def _results(run: Run) -> Iterator[tuple[str, str]]:
    every = rivals_of(run)
    for rivals in every:
        cells = cells_of(rivals.levels)
        of = f" of {listed(rivals.tasks)}" if len(every) > 1 else ""
        for level in dict.fromkeys(rivals.levels["level"]):
            of_level = cells.loc[[level]].droplevel("level").dropna(axis=1, how="all").fillna("")
            names = [name.replace("_", " ") for name in of_level.index]
            rows = [(name, *row) for name, row in zip(names, of_level.to_numpy(), strict=True)]
            yield f"By {level}{of}", table(("metric", *map(model_of, of_level.columns)), rows)


def _cost(run: Run) -> str:
    figures = {task: run.figures(f"train/{task}/cost.json") for task in run.tasks}
    names = {"parameters": "parameters", "steps of the optimizer": "steps", "batches an epoch": "batches"}
    rows = [(name, *(count(figures[task][key]) for task in run.tasks)) for name, key in names.items()]
    rows.append(
        ("padding among an epoch's time steps", *(percent(figures[task]["padding_share"]) for task in run.tasks))
    )
    return table(("what", *run.tasks), rows)


def _digests(run: Run) -> str:
    source = run.params("ingest")["source"]
    paths = {"corpus": source, "documents": "data/documents.parquet", "split": "data/split.parquet"}
    paths |= {"vocabulary": "data/vocabulary.tsv", "sequences": "data/shards"}
    paths |= {task: f"data/models/{task}" for task in run.tasks}
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
    return table(("package", "version"), pinned)


def locked_versions(lock: str) -> Mapping[str, str]:
    """The versions that a lock file pins, by package; each with its condition if there are several."""
    versions: dict[str, str] = {}
    for name, version, condition in re.findall(r"^([\w.-]+)==([^\s;\\]+)(?: ; ([^\\\n]+))?", lock, re.MULTILINE):
        shown = code(version) + (f" ({condition.strip()})" if condition else "")
        versions[name] = f"{versions[name]}, {shown}" if name in versions else shown
    return versions
