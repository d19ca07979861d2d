"""The output folder of a run: claimed before anything is written, and an earlier run in it is kept."""

from pathlib import Path

from tutelage.errors import TrainingError
from tutelage.recipe import Recipe
from tutelage.terminal import Terminal


def claim(recipe: Recipe, *, resume: bool, terminal: Terminal) -> Path:
    """Make the output folder. A run that is already there is moved beside it, unless it is resumed.

    Raises:
        TrainingError: the place is a file, or cannot be written to.
    """
    output = Path(recipe.output_dir)
    try:
        if (output / "recipe.yaml").exists() and not resume:
            aside = _free(output)
            output.rename(aside)
            terminal.note(f"{output} holds an earlier run; it is now {aside}")
        output.mkdir(parents=True, exist_ok=True)
        (output / "recipe.yaml").touch()
    except OSError as error:
        raise TrainingError(
            f"the output folder cannot be written: {error.strerror}",
            place=str(output),
            remedy="--set output_dir=ANOTHER/FOLDER",
        ) from None
    return output


def _free(output: Path) -> Path:
    number = 1
    while (aside := output.with_name(f"{output.name}.{number}")).exists():
        number += 1
    return aside
