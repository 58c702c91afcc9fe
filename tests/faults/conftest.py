"""What the tests of faults share: a small pipeline, its undisturbed outputs, and what runs stages with faults."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
SAMPLE = ROOT / "data" / "sample" / "blogs.zip"
# Before the first fork; what a stage imports late is listed too.
LIGHT_MODULES = (
    "lengthwise.pipeline.stage",
    "lengthwise.corpora.ingest",
    "lengthwise.prepare.shards.writer",
    "lengthwise.prepare.counting",
)
LIGHT_MODULES += (
    "lengthwise.prepare.text.spacy_tokenizer",
    "lengthwise.prepare.text.tokens",
    "lengthwise.pipeline.stages.baselines",
)
HEAVY_MODULES = (
    "lengthwise.pipeline.stage",
    "lengthwise.pipeline.stages.train.training_run",
    "lengthwise.pipeline.stages.evaluate",
)
SMALL = {
    "vocabulary": {"size": 300},
    "shards": {"rows_per_shard": 500},
    "train": {"epochs": 2, "log_every": 2},
    "baselines": {"max_iterations": 10},
    "evaluate": {"bootstrap_samples": 20},
}
# What an output of an earlier run has more.
OLD = b" \n"
SMALL_BATCHING = {"batch_size": 32}
SMALL_MODEL = {"embedding": 4, "units": 4}


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml: its name, its command's words, what it reads and what it writes, relative to the folder.

    Those of the outputs that are live grow while the stage runs.
    """

    name: str
    script: str
    arguments: tuple[str, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    live: tuple[str, ...]

    @property
    def heavy(self) -> bool:
        return self.name.startswith(("train", "evaluate"))


@dataclass(frozen=True)
class Run:
    """How a stage is run: a kill or an errno at the `at`-th operation on files, or a kill after so many seconds.

    With `vanish`, an input, that goes instead of the run being killed. `save_seconds` is how often training saves its
    state, `file_size` the most bytes that a file may have, and `unprivileged` a run that permissions bind.
    """

    folder: Path
    stage: Stage
    at: int = 0
    error: int = 0
    seconds: float | None = None
    workers: int = 1
    save_seconds: float = 0.0
    file_size: int | None = None
    unprivileged: bool = False
    vanish: str = ""

    def order(self) -> str:
        script, arguments = str(ROOT / "stages" / self.stage.script), self.stage.arguments
        log = self.folder.with_name(f"{self.folder.name}.log")
        known = {name: value for name, value in vars(self).items() if name not in ("folder", "stage")}
        return json.dumps(
            {**known, "folder": str(self.folder), "arguments": [script, *arguments], "log": str(log)},
        )


@dataclass(frozen=True)
class Done:
    """What came of a run: `status` is negative for a signal; `last` is the last operation on files, where counted."""

    status: int
    seconds: float
    text: str
    operations: int = 0
    last: str = ""


class Server:
    """Runs stages one after another in forks of a process that has imported all they need."""

    def __init__(self, modules: tuple[str, ...], preload: Path | None) -> None:
        environment = {**os.environ, **({"LD_PRELOAD": str(preload)} if preload else {})}
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "stage_server.py"), *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )

    def __call__(self, run: Run) -> Done:
        print(run.order(), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the server has ended"
        return Done(**json.loads(answer))

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(300)
        self._process.stdout.close()


@dataclass
class Faults:
    """The stages of the pipeline and the servers that run them, each begun when it is first needed.

    A server runs any stages: those of several pipelines have the same ones, which import what they need once.
    """

    stages: dict[str, Stage]
    preload: Path | None
    _servers: dict[bool, Server] = field(default_factory=dict)

    def of_other(self, stages: dict[str, Stage]) -> "Faults":
        return Faults(stages, self.preload, self._servers)

    def run(self, folder: Path, stage: str, **changes: object) -> Done:
        heavy = self.stages[stage].heavy
        if heavy not in self._servers:
            self._servers[heavy] = Server(HEAVY_MODULES if heavy else LIGHT_MODULES, self.preload)
        return self._servers[heavy](Run(folder, self.stages[stage], **changes))

    def close(self) -> None:
        for server in self._servers.values():
            server.close()


@dataclass(frozen=True)
class Pipeline:
    """A folder in which every stage has run, and the digests of all that they wrote."""

    folder: Path
    faults: Faults

    def copy_for(self, stage: str, folder: Path) -> Path:
        """A folder with all that a stage reads and none of what it writes."""
        folder.mkdir()
        shutil.copy(self.folder / "params.yaml", folder)
        for name in self.faults.stages[stage].inputs:
            self.copy_input(name, folder)
        return folder

    def copy_input(self, name: str, folder: Path) -> None:
        """Put an input where a stage looks for it."""
        copy(self.folder / name, folder / name)

    def with_old_outputs(self, stage: str, folder: Path) -> Path:
        """The same with outputs of an earlier run: of other bytes, and in a folder one file more."""
        self.copy_for(stage, folder)
        for name in self.faults.stages[stage].outputs:
            copy(self.folder / name, folder / name)
            for path in [path for path in (folder / name, *(folder / name).rglob("*")) if path.is_file()]:
                path.write_bytes(path.read_bytes() + OLD)
            if (folder / name).is_dir():
                (folder / name / "old").write_text("of an earlier run", encoding="utf-8")
        return folder

    def digests(self, stage: str, folder: Path | None = None) -> dict[str, object]:
        """The digest of each output of a stage, but for those in a folder `timing`; None for what is absent."""
        names = self.faults.stages[stage].outputs
        return {name: digest((folder or self.folder) / name) for name in names if not is_timing(name)}

    def timing(self, stage: str) -> list[str]:
        """The outputs of a stage that differ from run to run."""
        return [name for name in self.faults.stages[stage].outputs if is_timing(name)]

    def others(self, stage: str, folder: Path) -> set[str]:
        """The files in a folder that are no outputs of a stage, nor TensorBoard's."""
        names = (*self.faults.stages[stage].outputs, ".lengthwise/tensorboard")
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        return {file for file in files if not any(file == name or file.startswith(f"{name}/") for name in names)}

    def assert_live_files_are_whole(self, stage: str, folder: Path, place: str) -> None:
        """What grows is absent, of an earlier run, or the first lines of what it becomes; JSON is complete."""
        for name in self.faults.stages[stage].live:
            found, whole = folder / name, (self.folder / name).read_bytes()
            if not found.exists() or digest(found) == self.old_digest(name):
                continue
            if name.endswith(".json"):
                content = json.loads(found.read_text(encoding="utf-8"))
                assert content.keys() == json.loads(whole).keys(), f"{name} is not whole after {place}"
            else:
                assert whole.startswith(found.read_bytes()), f"{name} is not whole after {place}"

    def old_digest(self, name: str) -> str:
        """The digest of an output as `with_old_outputs` leaves it."""
        return hashlib.sha256((self.folder / name).read_bytes() + OLD).hexdigest()


def is_timing(name: str) -> bool:
    return any(part.startswith("timing") for part in Path(name).parts)


def copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy)(source, target)


def digest(path: Path) -> object:
    # Of a folder all that is in it, by name; None where there is nothing.
    if path.is_dir():
        return {entry.name: digest(entry) for entry in sorted(path.iterdir())}
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def path_of(output: object) -> str:
    return output if isinstance(output, str) else next(iter(output))


def stages_of(pipeline: Path, tasks: Sequence[str], source: str = "data/sample/blogs.zip") -> dict[str, Stage]:
    # As dvc.yaml has them, one for each task.
    stages = {}
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    vectors = params["train"]["model"]["vectors_file"]
    for name, content in yaml.safe_load(pipeline.read_text(encoding="utf-8"))["stages"].items():
        for task in tasks if "matrix" in content else [None]:
            text = yaml.safe_dump(content).replace("${item.task}", str(task))
            text = text.replace("${train.model.vectors_file}", vectors)
            filled = yaml.safe_load(text.replace("${ingest.source}", source))
            # What follows publishes figures that are there.
            command = filled["cmd"] if isinstance(filled["cmd"], str) else filled["cmd"][0]
            _, script, *arguments = command.split()
            published = set() if isinstance(filled["cmd"], str) else set(" ".join(filled["cmd"][1:]).split())
            unread = ("data/figures/", "data/checked", "data/sample/vectors")
            inputs = [path for path in filled["deps"] if path.startswith("data/") and not path.startswith(unread)]
            whole, live = [
                tuple(path for path in map(path_of, outs) if path not in published)
                for outs in (filled["outs"], [*filled.get("metrics", []), *filled.get("plots", [])])
            ]
            address = name if task is None else f"{name}@{task}"
            grows = live if name == "train" else ()
            stages[address] = Stage(address, f"{script}.py", tuple(arguments), tuple(inputs), whole + live, grows)
    return stages


def write_params(folder: Path, changes_of: Mapping[str, object] | None = None) -> None:
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    for section, changes in SMALL.items():
        params[section].update(changes)
    params["split"].update(validation=0.2, test=0.2)
    params["train"]["batching"].update(SMALL_BATCHING)
    params["train"]["model"].update(SMALL_MODEL)
    for key, value in (changes_of or {}).items():
        *sections, last = key.split(".")
        reduce(getitem, sections, params)[last] = value
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")


def write_corpus(path: Path, many: bool) -> None:
    # Of the sample's authors each eighth, or as many posts, each of two words, that they are more than one slice.
    path.parent.mkdir(parents=True)
    with zipfile.ZipFile(SAMPLE) as sample, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as small:
        for name in sample.namelist()[::8]:
            posts = "".join(f"<post>Word{number} there.</post>" for number in range(300))
            small.writestr(name, f"<Blog>{posts}</Blog>" if many else sample.read(name))


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Faults]:
    """The stages and what runs them; without a compiler nothing can be counted, and `preload` is None."""
    compiler = shutil.which(os.environ.get("CXX") or "g++")
    preload = tmp_path_factory.mktemp("preload") / "file_faults.so" if compiler else None
    if compiler:
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", str(preload)]
        subprocess.run([compiler, *flags, str(HERE / "file_faults.cc"), "-ldl"], check=True, timeout=120)
    tasks = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["tasks"]
    made = Faults(stages_of(ROOT / "dvc.yaml", tasks), preload)
    yield made
    made.close()


@pytest.fixture(scope="session")
def make_pipeline(faults: Faults, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Pipeline]:
    """Make a pipeline on a small corpus, or one of many short posts, and run the stages up to one, it among them."""
    made: dict[bool, tuple[Path, set[str]]] = {}

    def make(until: str, many: bool = False) -> Pipeline:
        if many not in made:
            folder = tmp_path_factory.mktemp("pipeline")
            write_params(folder)
            write_corpus(folder / "data" / "sample" / "blogs.zip", many)
            made[many] = folder, set()
        folder, complete = made[many]

        run_until(faults, folder, until, complete)
        return Pipeline(folder, faults)

    return make


def run_until(faults: Faults, folder: Path, stage: str, complete: set[str], **changes: object) -> None:
    """Run a stage, and before it those whose outputs it reads, but for what is complete."""
    read = faults.stages[stage].inputs
    for other, content in faults.stages.items():
        if set(content.outputs) & set(read):
            run_until(faults, folder, other, complete, **changes)
    if stage not in complete:
        done = faults.run(folder, stage, save_seconds=1e9, **changes)
        assert done.status == 0, done.text
        complete.add(stage)


@dataclass(frozen=True)
class OtherRuns:
    """Pipelines of a corpus and a task of their own: each folder is made by `write`."""

    faults: Faults
    write: Callable[[Path], None]

    def complete(self, folder: Path, until: Sequence[str], **changes: object) -> Pipeline:
        """A folder in which stages have run, and all before them."""
        folder.mkdir()
        self.write(folder)
        complete: set[str] = set()
        for stage in until:
            run_until(self.faults, folder, stage, complete, **changes)
        return Pipeline(folder, self.faults)


@pytest.fixture(scope="session")
def make_others(faults: Faults) -> Callable[..., OtherRuns]:
    """Pipelines of a task on a source, a place below the folder, with some keys of params.yaml changed."""

    def make(task: str, source: str, data: bytes, changes: Mapping[str, object]) -> OtherRuns:
        of_task = faults.of_other(stages_of(ROOT / "dvc.yaml", [task], source))

        def write(folder: Path) -> None:
            write_params(folder, {"tasks": [task], "ingest.source": source, **changes})
            (folder / source).parent.mkdir(parents=True)
            (folder / source).write_bytes(data)

        return OtherRuns(of_task, write)

    return make


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    # The table of docs/reliability.md: what each test tried, and how often.
    rows: dict[tuple[str, str], Counter[str]] = {}
    for report in (report for reports in terminalreporter.stats.values() for report in reports):
        # A fixture counts until its teardown.
        for name, text in report.user_properties if getattr(report, "when", None) == "teardown" else ():
            if name == "faults":
                content = json.loads(text)
                stage = re.search(r"\[(\w+)", report.nodeid)
                key = content.pop("section"), stage[1] if stage else "all"
                rows.setdefault(key, Counter()).update(content)
    for (section, stage), counts in rows.items():
        terminalreporter.write_line(f"{section} {stage}: " + ", ".join(f"{n} {name}" for name, n in counts.items()))
