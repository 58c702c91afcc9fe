"""Recipes: named sets of keys, each for a kind of data that somebody has in a file, run as a DVC experiment.

recipes/NAME.yaml has a `description`, a `source`, which says what file it is for, and `changes`, values by dotted keys
of params.yaml.
"""

from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import Field, ValidationError

from lengthwise.errors import SweepError
from lengthwise.pipeline.settings.contained import Section
from lengthwise.pipeline.settings.params import load_params
from lengthwise.pipeline.settings.refusals import first_error
from lengthwise.pipeline.stage import PARAMS_FILE
from lengthwise.pipeline.sweeps.grid_file import SweepRun, changed_run, check_key
from lengthwise.pipeline.sweeps.named import SOURCE
from lengthwise.pipeline.sweeps.sweep import LOGS, Sweep, run_and_exit
from lengthwise.system.strict_yaml import read_yaml

RECIPES = Path("recipes")


class Recipe(Section):
    """A file of a recipe.

    Attributes:
        description: what it predicts of what.
        source: what file it is for.
        changes: values by dotted keys of `params.yaml`.
    """

    description: Annotated[str, Field(min_length=1)]
    source: Annotated[str, Field(min_length=1)]
    changes: dict[str, Any]


def read_recipes(folder: Path = RECIPES) -> dict[str, Recipe]:
    """All recipes by name.

    Raises:
        SweepError: there is none, or a file is none.
    """
    recipes = {path.stem: _read(path) for path in sorted(folder.glob("*.yaml"))}
    if not recipes:
        raise SweepError(f"{folder}: has no recipe; expected files NAME.yaml; run it in the project's folder")
    return recipes


def recipe_run(name: str, source: Path, folder: Path = RECIPES, params_file: Path = PARAMS_FILE) -> SweepRun:
    """A recipe on a file.

    Args:
        name: of the recipe.
        source: what takes the place of `ingest.source`.
        folder: of recipes.
        params_file: the values of all keys that the recipe leaves alone.

    Raises:
        ParamsError: the params file is wrong by itself.
        SweepError: there is no such recipe or file, or the recipe names a key that the params file does not have.
    """
    recipes = read_recipes(folder)
    if name not in recipes:
        raise SweepError(f"RECIPE: got {name!r}; expected one of {', '.join(recipes)}; change it")
    if not source.exists():
        raise SweepError(f"SOURCE: got {str(source)!r}; expected {recipes[name].source}; name its place")
    path = folder / f"{name}.yaml"
    base = load_params(params_file).model_dump()
    for key in recipes[name].changes:
        check_key(path, base, key)
    run = changed_run(name, {SOURCE: str(source.resolve()), **recipes[name].changes}, base, path)
    if run.refusal:
        raise SweepError(run.refusal)
    return run


def run_recipe(name: str, source: Path) -> NoReturn:
    """Run a recipe on a file as a DVC experiment, then exit; see `lengthwise.pipeline.sweeps.start`.

    Raises:
        SweepError: see `recipe_run`.
    """
    run_and_exit(Sweep([recipe_run(name, source)], LOGS / "recipes"))


def _read(path: Path) -> Recipe:
    try:
        return Recipe.model_validate(read_yaml(path))
    except ValidationError as error:
        raise SweepError(f"{path}: {first_error(error, Recipe)}") from None
