"""What the members of an ablation read: its settings, and its shards where they are not those of the pipeline."""

from dataclasses import dataclass
from pathlib import Path

from lengthwise.pipeline.ablations.definitions import Ablations, ablated
from lengthwise.pipeline.ablations.member_files import SETTINGS_NAME, SHARDS_NAME
from lengthwise.pipeline.settings.params import Params
from lengthwise.prepare.counting import build_vocabulary
from lengthwise.prepare.shards.writer import ShardInputs, build_shards
from lengthwise.prepare.splits import split_sentences
from lengthwise.system.files import replacing_folder, scratch_folder, write_json

# The stages between the documents and the shards.
STAGES = ("tokens", "split", "vocabulary", "shards")


@dataclass(frozen=True)
class PipelineData:
    """What the pipeline's own stages have written: paths."""

    documents: Path
    tokens: Path
    split: Path
    vocabulary: Path

    @classmethod
    def below(cls, data: Path) -> "PipelineData":
        """What the stages write into the folder `data`."""
        return cls(data / "documents.parquet", data / "tokens", data / "split.parquet", data / "vocabulary.tsv")


def changed_stages(params: Params, ablation: Params) -> tuple[str, ...]:
    """The stages, of `STAGES`, whose outputs differ under the params of an ablation: the first and all after it."""
    changed = [getattr(params, stage) != getattr(ablation, stage) for stage in STAGES]
    return STAGES[changed.index(True) :] if any(changed) else ()


def member_settings(task: str, ablation: Params) -> dict[str, object]:
    """What the members of an ablation are trained with, but for the seed; see `MemberSettings`."""
    return {
        "task": task,
        "train": ablation.train.model_dump(),
        "kernel": ablation.evaluate.kernel,
        "accuracy": ablation.comparison.accuracy,
    }


def prepare(params: Params, ablations: Ablations, name: str, data: PipelineData, out: Path, workers: int) -> None:
    """Write the folder `out`: `settings.json`, and `shards` from the first stage whose params the ablation changes.

    Args:
        params: of the pipeline.
        ablations: what changes them.
        name: of the ablation.
        data: what the pipeline's stages have written.
        out: the folder.
        workers: processes to tokenize with.

    Raises:
        ParamsError: there is no such ablation.
        FormatError: what a stage has written is absent or damaged.
    """
    task, ablation = ablated(params, ablations, name)
    with replacing_folder(out) as folder:
        _build_shards(changed_stages(params, ablation), ablation, data, folder / SHARDS_NAME, workers)
        write_json(folder / SETTINGS_NAME, member_settings(task, ablation))


def _build_shards(stages: tuple[str, ...], params: Params, data: PipelineData, shards: Path, workers: int) -> None:
    # That of the shards themselves has their name.
    with scratch_folder(shards.with_name("stages")) as scratch:
        made = {stage: getattr(data, stage) for stage in STAGES[:-1]}
        made |= {stage: scratch / stage for stage in stages[:-1]}
        if "tokens" in stages:
            # spaCy takes a second to import.
            from lengthwise.prepare.text.tokens import tokenize

            tokenize(data.documents, made["tokens"], params.tokens.options, workers)
        if "split" in stages:
            split_sentences(data.documents, made["tokens"], made["split"], params.split.by, params.split.shares)
        if "vocabulary" in stages:
            build_vocabulary(made["tokens"], made["split"], made["vocabulary"], params.vocabulary.size)
        if "shards" in stages:
            inputs = ShardInputs(data.documents, made["tokens"], made["split"], made["vocabulary"])
            wanted = params.shards
            build_shards(inputs, shards, wanted.unit, wanted.limits, wanted.rows_per_shard, wanted.affixes)
