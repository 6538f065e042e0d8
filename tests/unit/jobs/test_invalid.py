"""Unknown fields are told with those that are known where they stand."""

import pytest
from pydantic import BaseModel, ConfigDict

from jobs.invalid import RequestInvalid, validated


class Leaf(BaseModel):
    model_config = ConfigDict(extra="forbid")
    colour: str = ""


class Tree(BaseModel):
    model_config = ConfigDict(extra="forbid")
    leaf: Leaf | None = None
    leaves: list[Leaf] | None = None
    either: str | Leaf = ""


@pytest.mark.parametrize(
    ("body", "place", "known"),
    [
        ({"x": 1}, ["x"], "leaf, leaves, either, also"),
        ({"leaf": {"x": 1}}, ["leaf", "x"], "colour"),
        ({"leaves": [{}, {"x": 1}]}, ["leaves", 1, "x"], "colour"),
        ({"either": {"x": 1}}, ["either", "Leaf", "x"], "colour"),
    ],
)
def test_unknown_field(body: dict[str, object], place: list[str | int], known: str) -> None:
    with pytest.raises(RequestInvalid) as raised:
        validated(Tree, body, also=["also"])
    found = {tuple(item["loc"]): item["msg"] for item in raised.value.details}
    assert found[tuple(place)] == f"unknown field; Known here: {known}"
