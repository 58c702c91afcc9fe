from collections.abc import Callable
from pathlib import Path

import pytest

from lengthwise.pipeline.settings.params import TrainParams


def _train_params(**changes: object) -> TrainParams:
    content = {
        "seed": 1,
        "epochs": 2,
        "log_every": 3,
        "best": "none",
        "patience": None,
        "class_weights": "none",
        "kernel": "auto",
        "logical_shards": None,
        "batching": {"strategy": "bucketed", "batch_size": 64, "buckets": 2, "tokens": 4096, "window": 8}
        | {"padding": "post", "group_limit": None, "sample": 32, "window_blocks": None},
        "model": {
            "input": "embedding",
            "embedding": 4,
            "front_end": "none",
            "filters": 4,
            "kernel": 3,
            "stride": 1,
            "conv_padding": "same",
            "cell": "gru",
            "activation": "tanh",
            "units": 4,
            "layers": 1,
            "bidirectional": False,
            "initial_state": "learned",
            "masking": False,
            "readout": "last",
            "word_dropout": 0.0,
            "dropout": 0.4,
            "ensemble": 1,
            "outer": "none",
            "vectors": "none",
            "vectors_file": "nowhere",
            "vectors_frozen": False,
        },
        "optimizer": {"name": "adam", "learning_rate": 0.01, "schedule": "constant", "clip_norm": None}
        | {"warmup_steps": 0, "momentum": 0.0, "weight_decay": 0.0},
    }
    for key, value in changes.items():
        section = next((name for name in ("batching", "model", "optimizer") if key in content[name]), None)
        (content if section is None else content[section])[key] = value
    return TrainParams.model_validate(content)


@pytest.fixture(scope="session")
def train_params() -> Callable[..., TrainParams]:
    return _train_params


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # The resume folder is relative to the working folder.
    monkeypatch.chdir(tmp_path)
    return tmp_path
