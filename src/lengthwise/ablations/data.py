"""The shards of an ablation: made anew from the first stage whose params it changes, and not at all if there is none."""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lengthwise.counting import build_vocabulary
from lengthwise.files import replacing_folder
from lengthwise.params import Params
from lengthwise.shards.lengths import LengthLimits
from lengthwise.shards.writer import ShardInputs, build_shards
from lengthwise.splits import SplitShares, split_sentences

# The stages between the documents and the shards.
STAGES = ("tokens", "split", "vocabulary", "shards")
SHARDS_NAME = "shards"


@dataclass(frozen=True)
class PipelineData:
    """What the pipeline's own stages have written: paths."""

    documents: Path
    tokens: Path
    split: Path
    vocabulary: Path


def changed_stages(params: Params, ablation: Params) -> tuple[str, ...]:
    """The stages, of `STAGES`, whose outputs differ under the params of an ablation: the first and all after it."""
    changed = [getattr(params, stage) != getattr(ablation, stage) for stage in STAGES]
    return STAGES[changed.index(True) :] if any(changed) else ()


def build_data(params: Params, ablation: Params, data: PipelineData, out: Path, workers: int) -> dict[str, int]:
    """Write the folder `out`, with `shards` in it where they are not those of the pipeline.

    Args:
        params: of the pipeline.
        ablation: with the changes.
        data: what the stages before the first changed one have written.
        out: the folder.
        workers: processes to tokenize with.

    Returns:
        `stages`, how many were run again, and what the last of them counts.
    """
    stages = changed_stages(params, ablation)
    counts: dict[str, int] = {}
    with replacing_folder(out) as folder, TemporaryDirectory() as temporary:
        made = {stage: getattr(data, stage) for stage in STAGES[:-1]}
        made |= {stage: Path(temporary) / stage for stage in stages[:-1]}
        if "tokens" in stages:
            # spaCy takes a second to import.
            from lengthwise.text.tokens import TokenizerOptions, tokenize

            tokenize(data.documents, made["tokens"], TokenizerOptions.from_params(ablation.tokens), workers)
        if "split" in stages:
            shares = SplitShares(ablation.split.validation, ablation.split.test, ablation.split.seed)
            split_sentences(data.documents, made["tokens"], made["split"], ablation.split.by, shares)
        if "vocabulary" in stages:
            build_vocabulary(made["tokens"], made["split"], made["vocabulary"], ablation.vocabulary.size)
        if "shards" in stages:
            inputs = ShardInputs(data.documents, made["tokens"], made["split"], made["vocabulary"])
            wanted = ablation.shards
            limits = LengthLimits(wanted.min_length, wanted.max_length, wanted.too_long)
            counts = build_shards(inputs, folder / SHARDS_NAME, wanted.unit, limits, wanted.rows_per_shard)
    return {"stages": len(stages), **counts}
