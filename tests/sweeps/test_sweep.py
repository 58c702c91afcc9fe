import pytest

import lengthwise.sweeps.sweep as module
from lengthwise.params import load_params
from lengthwise.sweeps.grid import Run
from lengthwise.sweeps.sweep import Sweep


@pytest.fixture
def fake(monkeypatch, tmp_path):
    # Each run moves the branch on, as a commit while it runs would; those called bad fail.
    commits = iter(f"c{number}" for number in range(9))

    def run(name, overrides, log, tick, targets):
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(f"{targets}", encoding="utf-8")
        return not name.startswith("bad")

    monkeypatch.setattr(module, "baseline", lambda: next(commits))
    monkeypatch.setattr(module, "reference_of", lambda name, commit: f"{commit}/{name}")
    monkeypatch.setattr(
        module, "find_or_name", lambda name, params, commit, targets: (f"{name}-2", name.startswith("there"))
    )
    monkeypatch.setattr(module, "run_experiment", run)
    return tmp_path / "logs"


def test_sweep_keeps_what_is_there_by_the_commit_at_which_it_began(fake, root, capsys):
    params = load_params(root / "params.yaml")
    kept = []
    runs = [Run(name, {}, params, targets=("x",)) for name in ("good", "bad", "there")] + [Run("no", {}, None, "why")]
    sweep = Sweep(runs, fake, lambda run, reference: kept.append((run.name, reference)))
    sweep.run()
    assert kept == [("good", "c0/good-2"), ("there", "c2/there-2")]
    assert sweep.finished == 2
    assert sweep.failures == [("no", "why"), (f"bad-2, whose log {fake / '2.log'} ends with", "('x',)")]
    assert "run 3 of 4: there-2: is there already" in capsys.readouterr().err
