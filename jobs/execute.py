"""The body of a request for one operation on one device."""

from __future__ import annotations

from typing import Any, Literal, Protocol, Self, cast

from pydantic import Field, create_model, model_validator

from drivers.base import Arguments, Driver
from jobs.credentials.base import AnyCredentialRef
from jobs.lines import Commands, Lines
from jobs.options import Options
from jobs.rendering import Source


class Execute(Arguments):
    """One operation on one device: one of `command` (reads), `config` (changes) and `driver_args.file_transfer`."""

    driver: str = Field(description="The library that speaks to the device.")
    connection_args: Arguments
    credential_ref: AnyCredentialRef | None = Field(
        None, description="Where the username and the password are kept; they then stand nowhere else."
    )
    command: Commands | None = Field(None, description="A command, or a list of them, run in order.")
    config: Lines | None = Field(
        None, description="Configuration: a list of lines, or one text that is split at line ends."
    )
    driver_args: dict[str, Any] = Field({}, description="Arguments of the driver for a query or a change.")
    options: Options = Options()

    @model_validator(mode="before")
    @classmethod
    def _gather_options(cls, body: Any) -> Any:
        """Move options given at the top level to `options`; one given in both places must say the same."""
        if not isinstance(body, dict):
            return body
        given = body.get("options", {})
        top = {name: body[name] for name in Options.model_fields if name in body}
        if not top or not isinstance(given, dict):
            return {name: value for name, value in body.items() if name not in top}
        for name, value in top.items():
            if name in given and given[name] != value:
                raise ValueError(f"{name} is given twice, with different values")
        return {**{k: v for k, v in body.items() if k not in top}, "options": {**given, **top}}

    @model_validator(mode="after")
    def _one_operation(self) -> Self:
        asked = (self.command, self.config, self.driver_args.get("file_transfer"))
        if sum(operation is not None for operation in asked) != 1:
            raise ValueError("exactly one of command, config and driver_args.file_transfer is needed")
        return self


class FileWish(Protocol):
    """What every driver that moves files has as `file_transfer` in its `query_args`."""

    operation: Literal["upload", "download"]
    remote_path: str
    overwrite: bool


def transfer_of(args: Arguments) -> FileWish | None:
    """The file that is to be moved; None: none is."""
    return getattr(args, "file_transfer", None)


def execute_model(driver: Driver) -> type[Execute]:
    """The body with the driver's own connection arguments."""
    name = f"{driver.name.capitalize()}Execute"
    return create_model(
        name,
        __base__=Execute,
        __doc__=f"{Execute.__doc__} By the {driver.name} driver.",
        driver=(cast(Any, Literal[driver.name]), Field(description=f"`{driver.name}`")),
        connection_args=(driver.connection_args, Field(description="The device and the login to it.")),
    )


def rendered_model(execute: type[Execute]) -> type[Execute]:
    """The same, with templates or their context in the place of lines."""
    return create_model(
        f"Rendered{execute.__name__}",
        __base__=execute,
        command=(cast(Any, Source | None), None),
        config=(cast(Any, Source | None), None),
    )
