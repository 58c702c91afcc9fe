import json
import re
import shutil
import subprocess
from copy import deepcopy
from html import escape, unescape

import numpy as np
import pandas as pd
import pytest
import yaml
from records import record_as_folder
from scipy.special import log_softmax

from lengthwise.core.names import LABEL_TASKS
from lengthwise.evaluation.item_table import LevelScores, write_item_scores
from lengthwise.runs.kept import Kept
from lengthwise.runs.run import run_in
from lengthwise.runs.run_files import TIMING

# What a machine measured, which Git does not have: the figures are invented.
MEASURED = {"peak_memory_mib": 512, "seconds": 3.25}
TRAINED = {
    "kernel": "native",
    "kernel_arch": "native (x86-64-v3)",
    "resumed_at_step": 0,
    "sequences_per_second": 4321.5,
    "tokens_per_second": 55555.5,
    "traces": 2,
}
ENVIRONMENT = {
    "compiler": "g++ 9.9.9",
    "keras": "3.99.0",
    "kernel": "native",
    "processor": "Invented(R) Processor",
    "python": "CPython 3.11.99",
    "tensorflow": "2.99.0",
    "threads": 3,
}
TIMES = {
    **dict.fromkeys(("ingest", "tokens", "split", "vocabulary", "shards", "baselines"), MEASURED),
    **{f"train_{task}": {**MEASURED, **TRAINED, "seconds": 90.5} for task in LABEL_TASKS},
    **{f"evaluate_{task}": MEASURED for task in LABEL_TASKS},
    **{f"environment_{task}": ENVIRONMENT for task in LABEL_TASKS},
}


@pytest.fixture(scope="session")
def write_times():
    # Into the folder of a run: all of the stages' times, with some figures changed.
    def write(folder, **changes):
        (folder / TIMING).mkdir(parents=True, exist_ok=True)
        for stage, figures in TIMES.items():
            text = json.dumps({**figures, **changes.get(stage, {})})
            (folder / TIMING / f"{stage}.json").write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def run(root, tmp_path, write_times):
    # The committed run without ablations, in a place where it may be changed.
    shutil.copytree(root / "metrics", tmp_path / "metrics", ignore=shutil.ignore_patterns("*ablations*"))
    shutil.copy(root / "dvc.lock", tmp_path / "dvc.lock")
    write_times(tmp_path)
    return run_in(tmp_path)


@pytest.fixture
def rewrite(run):
    # Changes a file of the run and gives the run anew, since it remembers what it has read.
    def change(name, *replacements):
        path = run.files.folder / "dvc.lock" if name == "dvc.lock" else run.files.folder / "metrics" / name
        text = path.read_text(encoding="utf-8")
        for old, new in replacements:
            assert old in text
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        return run_in(run.files.folder)

    return change


@pytest.fixture
def predict():
    # Predictions and test items beside a run, with the accuracies of its tables, as the stage evaluate writes them.
    def write(run, models=("classifier", "seq2seq"), authors=44, seed=0):
        rng = np.random.default_rng(seed)
        author = np.sort(np.arange(600) % authors)
        document = author * 3 + np.arange(600) % 3
        label = (author * 5) % 6
        for model in models:
            scores = rng.normal(0, 1, (600, 6))
            scores[np.arange(600), label] += 1.0
            columns = {f"log_probability_{n}": column for n, column in enumerate(log_softmax(scores, axis=1).T)}
            ids = {"sequence": np.arange(600), "document": document, "group": author, "label": label}
            frame = pd.DataFrame({**ids, **columns})
            path = run.files.folder / "data" / "predictions" / f"{model}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.to_parquet(path)
            table = pd.read_csv(run.files.folder / "metrics" / "evaluate" / model / "levels.csv")
            items = []
            for name in ("sentence", "document", "author"):
                keys = {"sentence": "sequence", "author": "group"}.get(name, name)
                pooled = frame.groupby(keys)[list(columns)].mean().to_numpy().argmax(axis=1)
                right = pooled == frame.groupby(keys)["label"].first().to_numpy()
                table.loc[(table["level"] == name) & (table["metric"] == "accuracy"), "value"] = right.mean()
                group = frame.groupby(keys)["group"].first().to_numpy()
                items.append(LevelScores(name, group, {"accuracy": right.astype(float)}))
            path = run.files.folder / "data" / "figures" / "evaluate" / model / "items.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_item_scores(path, items)
            table.to_csv(run.files.folder / "metrics" / "evaluate" / model / "levels.csv", index=False)
        return run_in(run.files.folder)

    return write


@pytest.fixture
def ablated(run):
    header = (
        "name,changes,seeds,accuracy,accuracy_spread,difference,low,high,nll,nll_difference,author_accuracy,"
        "padding_share,parameters,steps,steps_to_accuracy\n"
    )
    rows = [
        "full,,3,0.52,0.01,,,,1.34,,0.75,0.17,273222,550,400\n",
        "padded,train.batching.strategy=padded,3,0.51,0.01,-0.009,-0.02,0.003,1.35,0.01,0.74,0.57,273222,540,410\n",
        "zero_state,train.model.initial_state=zeros,3,0.48,0.01,-0.03,-0.05,-0.01,1.4,0.06,0.7,0.17,273000,550,\n",
        "lstm,train.model.cell=lstm,3,0.55,0.01,0.032,0.01,0.05,1.3,-0.04,0.77,0.17,293222,550,300\n",
    ]
    (run.files.folder / "metrics" / "ablations.csv").write_text(header + "".join(rows), encoding="utf-8")
    times = "name,seconds_per_epoch,relative\nfull,0.7,1.0\npadded,1.2,1.71\nzero_state,0.7,0.99\nlstm,0.9,1.3\n"
    (run.files.folder / "metrics" / "timing_ablations.csv").write_text(times, encoding="utf-8")
    return run


@pytest.fixture
def kept_folder(root, tmp_path):
    # The files by hand, and no run.
    folder = tmp_path / "results"
    folder.mkdir()
    for name in ("runs.yaml", "published.yaml"):
        shutil.copy(root / "results" / name, folder / name)
    return folder


@pytest.fixture
def keep_runs(root, kept_folder, write_times):
    # Named runs with the figures of the committed run, invented times, and their own changes of its params.
    def keep(*names):
        named = yaml.safe_load((kept_folder / "runs.yaml").read_text(encoding="utf-8"))
        usual = yaml.safe_load((root / "params.yaml").read_text(encoding="utf-8"))
        for name in names:
            params = deepcopy(usual)
            params["ingest"]["source"] = "blogs.zip"
            for key, value in named[name]["changes"].items():
                *sections, last = key.split(".")
                place = params
                for section in sections:
                    place = place[section]
                place[last] = value
            with record_as_folder(kept_folder / f"{name}.json") as folder:
                shutil.copytree(root / "metrics", folder / "metrics", ignore=shutil.ignore_patterns("timing_*.csv"))
                write_times(folder)
                (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        return Kept(kept_folder)

    return keep


@pytest.fixture
def set_level(kept_folder):
    # Changes a figure of a run that is kept.
    def change(run, model, level, metric, value, low, high):
        with record_as_folder(kept_folder / f"{run}.json") as folder:
            (path,) = [path for path in folder.rglob("levels.csv") if path.parent.name == model]
            table = pd.read_csv(path)
            row = (table["level"] == level) & (table["metric"] == metric)
            assert row.sum() == 1
            table.loc[row, ["value", "low", "high"]] = [value, low, high]
            table.to_csv(path, index=False)

    return change


WIDTHS = (400, 800, 1280)
QUIET = ("--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync")
# No name is found: nothing comes from elsewhere, and what a page asks for is listed.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND"
MEASURE = """
<script>
const box = e => {
  const r = e.getBoundingClientRect();
  return [r.left, r.top, r.right, r.bottom].map(n => +n.toFixed(1));
};
const texts = (e, selector) => [...e.querySelectorAll(selector)]
  .filter(t => t.textContent && getComputedStyle(t).opacity !== "0").map(t => [t.firstChild.textContent, ...box(t)]);
const measured = () => ({
  asked: performance.getEntriesByType("resource").map(e => e.name),
  width: innerWidth, scroll: document.documentElement.scrollWidth,
  ground: getComputedStyle(document.body).backgroundColor,
  tables: [...document.querySelectorAll("section > :not(details) .scroll")].map(e => [e.clientWidth, e.scrollWidth]),
  plots: [...document.querySelectorAll(".vega-embed svg.marks")].map(e => ({box: box(e), texts: texts(e, "text")})),
  charts: [...document.querySelectorAll("svg.chart")].map(svg => ({
    title: svg.querySelector("title").textContent, kind: svg.classList[1], box: box(svg),
    font: parseFloat(getComputedStyle(svg).fontSize) * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width,
    texts: texts(svg, "text:not(.board text)"), boards: texts(svg, ".board text"),
    marks: [...svg.querySelectorAll(".mark")].map(e => [getComputedStyle(e).fill, ...box(e)]),
    lines: [...svg.querySelectorAll(":scope > .line")].map(e => [getComputedStyle(e).stroke, ...box(e)]),
  })),
});
const tell = () => {
  const out = parent.document.createElement("pre");
  out.className = "measured"; out.textContent = JSON.stringify(measured()); parent.document.body.append(out);
};
// DVC's plots are drawn one after the other.
typeof queue === "undefined" ? tell() : queue.then(tell);
</script>
"""


class Browser:
    # What is measured is what the browser has laid out, not what the SVG says.
    dark = "--blink-settings=preferredColorScheme=0"

    def __init__(self, profile):
        self.profile = profile

    def browse(self, page, *flags):
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [
            "--enable-logging=stderr",
            *QUIET,
            OFFLINE,
            f"--user-data-dir={self.profile}",
            *flags,
            page.as_uri(),
        ]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return result.stdout, re.findall(r"CONSOLE[:(].*", result.stderr)

    def measure(self, text, folder, *flags):
        # By width. A window is never as narrow as a phone, a frame may be; and a browser takes seconds to start.
        before, after = text.rsplit("</body>", 1)
        # A report's own policy lets no script run, not even the one that measures.
        before = re.sub(r"<meta http-equiv[^>]*>", "", before)
        framed = escape(f"{before}{MEASURE}</body>{after}")
        frames = "".join(
            f'<iframe style="width: {width}px; height: 2000px; border: 0" srcdoc="{framed}"></iframe>'
            for width in WIDTHS
        )
        copy = folder / "measured.html"
        copy.write_text(f"<!doctype html><meta charset=utf-8><body>{frames}</body>", encoding="utf-8")
        size = ("--virtual-time-budget=20000", "--window-size=2600,2400")
        dom, console = self.browse(copy, "--dump-dom", *size, *flags)
        assert not console, console
        found = [json.loads(unescape(one)) for one in re.findall(r'<pre class="measured">(.*?)</pre>', dom)]
        by_width = {one["width"]: one for one in found}
        assert by_width.keys() == {*WIDTHS}
        return by_width

    def check_nothing_is_cut_off(self, found):
        assert not found["asked"]
        assert found["scroll"] <= found["width"]
        for client, scroll in found["tables"]:
            assert scroll <= client
        for chart in found["charts"]:
            assert 10 <= chart["font"] <= 15, chart["title"]
            self.check_texts(chart)
            for number, (text, *box) in enumerate(chart["texts"]):
                for other, *other_box in chart["texts"][number + 1 :]:
                    assert not overlap(box, other_box), (chart["title"], text, other)

    def check_texts(self, picture):
        left, top, right, bottom = picture["box"]
        for text, *box in [*picture["texts"], *picture.get("boards", [])]:
            assert left - 1.5 <= box[0] <= box[2] <= right + 1.5, (picture.get("title"), text)
            assert top - 1.5 <= box[1] <= box[3] <= bottom + 1.5, (picture.get("title"), text)


def overlap(one, other, slack=1.0):
    return (
        min(one[2], other[2]) - max(one[0], other[0]) > slack and min(one[3], other[3]) - max(one[1], other[1]) > slack
    )


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    if shutil.which("chromium") is None:
        pytest.skip("there is no chromium")
    return Browser(tmp_path_factory.mktemp("profile"))
