"""What the stages of an ablation give on to each other: the names of files, and the settings of the members."""

from pathlib import Path

from pydantic import ValidationError

from lengthwise.core.names import Task
from lengthwise.errors import FormatError
from lengthwise.pipeline.settings.contained import Section
from lengthwise.pipeline.settings.params import TrainParams

# Of a prepared ablation; of a member.
SHARDS_NAME, SETTINGS_NAME = "shards", "settings.json"
AUTHORS_NAME, EPOCHS_NAME, METRICS_NAME, TIMING_NAME = "authors.csv", "epochs.csv", "metrics.json", "timing.json"
REMEDY = "run make ablations"


class MemberSettings(Section):
    """What a member is trained with, but for its seed."""

    task: Task
    train: TrainParams
    kernel: str
    accuracy: float


def read_settings(folder: Path) -> MemberSettings:
    """What `prepare` has written.

    Raises:
        FormatError: it is absent or damaged.
    """
    path = folder / SETTINGS_NAME
    try:
        return MemberSettings.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = " ".join(str(error).split())
        raise FormatError(f"{path}: cannot be read ({reason}); {REMEDY}") from error
