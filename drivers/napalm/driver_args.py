"""What clients may say of commands and of changes by napalm. An allow-list: what is not here is an error."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from drivers.base import Arguments, ChangeArguments
from drivers.ssh.fields import Text

Message = Annotated[Text, Field(max_length=512)]
Word = Annotated[str, Field(pattern=r"^[\w.:/@-]{1,128}$")]
"""What becomes a word of a command line, or the content of an XML element: an address, an interface, a VRF."""


class NapalmQuery(Arguments):
    """How to run commands, and the arguments of getters: each is passed to the getters of the list that take it."""

    read_timeout: float = Field(default=60, gt=0, le=3600)
    """Seconds that each command sent to the device may take; a getter may send several."""
    encoding: Literal["text", "json", "xml"] | None = None
    """Of commands that are no getters: what the platform has; `text` everywhere."""
    destination: Word | None = None
    """`ping`, `traceroute`, `get_route_to`: an address, a name, a prefix."""
    source: Word | None = None
    source_interface: Word | None = None
    ttl: int | None = Field(default=None, ge=1, le=255)
    timeout: int | None = Field(default=None, ge=1, le=3600)
    """`ping`, `traceroute`: seconds to wait for each answer."""
    size: int | None = Field(default=None, ge=1, le=65_535)
    count: int | None = Field(default=None, ge=1, le=1000)
    vrf: Word | None = None
    protocol: Word | None = None
    longer: bool | None = None
    retrieve: Literal["all", "running", "startup", "candidate"] | None = None
    full: bool | None = None
    sanitized: bool | None = None
    format: Literal["text", "json", "xml"] | None = None
    interface: Word | None = None
    neighbor: Word | None = None
    neighbor_address: Word | None = None
    group: Word | None = None
    name: Word | None = None

    def given(self) -> dict[str, Any]:
        """The arguments of getters that are set."""
        return self.model_dump(exclude_none=True, exclude={"read_timeout", "encoding"})


class NapalmConfig(ChangeArguments):
    """How to make a change. The lines are one text, loaded as a whole."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"confirm"})

    message: Message | None = None
    """Kept with the commit, where the platform keeps one (junos). Also `comment` and `commit_message`."""
    comment: Message | None = None
    commit_message: Message | None = None
    read_timeout: float = Field(default=120, gt=0, le=3600)
    """Seconds that each step may take."""
    confirm: bool | None = None
    """A change with `revert_in` waits for its confirmation, others do not."""

    @model_validator(mode="after")
    def _one_message(self) -> Self:
        if len({self.message, self.comment, self.commit_message} - {None}) > 1:
            raise ValueError("give one of message, comment and commit_message")
        return self

    @property
    def text(self) -> str:
        """The message, "" if there is none."""
        return self.message or self.comment or self.commit_message or ""
