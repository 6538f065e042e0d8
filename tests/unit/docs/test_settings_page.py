"""docs/settings.md says what the settings are."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from jobs.settings import PREFIX, Settings

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"


def rows(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The page's table row of each setting, nested ones too."""
    for name, field in model.model_fields.items():
        variable = str(field.validation_alias or f"{prefix}{name}".upper())
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from rows(field.annotation, f"{variable}__")
        else:
            yield f"| `{variable}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    nothing = field.default in (None, (), PydanticUndefined)
    return "–" if nothing else f"`{str(field.default).lower() if isinstance(field.default, bool) else field.default}`"


def test_every_setting_is_on_the_page_as_it_is() -> None:
    page = PAGE.read_text(encoding="utf-8").splitlines()
    missing = [row for row in rows(Settings, PREFIX) if row not in page]
    assert not missing, "docs/settings.md lacks:\n" + "\n".join(missing)
