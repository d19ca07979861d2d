"""The endpoints that a curation may ask, as its recipe names them."""

import os

from tutelage.endpoint import Endpoint
from tutelage.errors import RecipeError


def named(kind: str, url: str | None, *, model: str | None, key: str) -> Endpoint | None:
    """The endpoint of `curate.KIND_url` and `curate.KIND_model`; None where there is no url.

    Args:
        key: the environment variable that holds the endpoint's key, where it wants one.

    Raises:
        RecipeError: a url without a model.
    """
    if url is None:
        return None
    if not model:
        raise RecipeError(
            f"`curate.{kind}_url` names an endpoint, but `curate.{kind}_model` no model",
            code="recipe-value",
            place=f"curate.{kind}_model",
            expected="the name of the model there",
            remedy=f"--set curate.{kind}_model=NAME",
        )
    return Endpoint(url, model, key if os.environ.get(key) else None)
