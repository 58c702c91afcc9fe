"""The command `lengthwise generate`: a language model goes on with a text."""

# Help needs \b: it keeps the line breaks of the paragraph below it.
# ruff: noqa: D301

from pathlib import Path
from typing import Annotated

import typer

from lengthwise.cli.pipes import flush, write


def generate(
    beginning: Annotated[str, typer.Argument(metavar="TEXT", help="The text to go on from.")],
    model: Annotated[Path, typer.Option(help="Folder of a trained language model.")] = Path(
        "data/models/language_model"
    ),
    tokens: Annotated[int, typer.Option(min=1, help="How many tokens to make.")] = 500,
    temperature: Annotated[
        float, typer.Option(min=0.0, help="0 takes the likeliest token each time; the higher, the bolder.")
    ] = 0.8,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws: the same one gives the same text.")] = 1,
) -> None:
    """Go on with a text as a trained language model does.

    Prints the text as it is made. What the network has read it does not read again: its state is carried on.

    \b
    Examples:
      lengthwise generate "ROMEO:" --tokens 300
      lengthwise generate "To be" --temperature 0.5 --seed 2
    """
    # NumPy and spaCy take a second to import.
    from lengthwise import generation
    from lengthwise.predictor import Predictor, read_encoding

    predictor = Predictor.load(model)
    by = read_encoding(model).tokenizer.by
    known = predictor.tokenize(beginning)
    made = generation.generate(predictor, known, most=tokens, temperature=temperature, seed=seed)
    write(generation.joined(known, by))
    if by == "bytes":
        # A byte may be a part of a character.
        write(generation.joined(list(made), by))
    else:
        for token in made:
            write(token if by == "characters" else f" {token}")
            flush()
    write("\n")
