"""Whether a recipe is one that a network can be trained by."""

from __future__ import annotations

from torch import nn

from derainbench.catalog.model_cards import model_card
from derainbench.catalog.recipes import Recipe
from derainbench.foundation.errors import BenchError
from derainbench.models.construction import size_multiple_of


def check_suits(model: nn.Module, model_name: str, recipe: Recipe) -> None:
    """Refuses a recipe that the model cannot be trained by.

    Raises:
        BenchError: saying which field of the recipe does not suit the model.
    """
    multiple = size_multiple_of(model, model_card(model_name))
    for field, side in [*(("crop", s) for s in recipe.crop_sides), ("val_crop", recipe.val_crop)]:
        if side % multiple:
            raise BenchError(
                f"recipe: {field} {side} must be a multiple of {multiple} for model '{model_name}'"
            )
    if recipe.stage_weight and not callable(getattr(model, "stages", None)):
        raise BenchError(
            f"recipe: stage_weight {recipe.stage_weight} needs intermediate outputs, which model "
            f"'{model_name}' does not give; set it to 0"
        )
