"""environment: record the versions and the machine that the networks were trained with."""

from pathlib import Path

from lengthwise.environment import environment
from lengthwise.stage import Figures, run_stage


def main(classifier: Path, seq2seq: Path) -> Figures:
    """Both are timing files of `train`: they differ after each training, so that DVC runs this stage then."""
    return Figures(environment({"classifier": classifier, "seq2seq": seq2seq}))


if __name__ == "__main__":
    run_stage(main)
