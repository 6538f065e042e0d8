"""What clients may say of work on an open netmiko session. An allow-list: what is not here is an error."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from drivers.base import Arguments, ChangeArguments
from drivers.netmiko.expected import PATTERNS, PatternName
from drivers.ssh.fields import Text


def _literal(value: str) -> str:
    if "\\" in value or ".*" in value or ".+" in value:
        raise ValueError("is literal text, not a regular expression: write the text that the device prints")
    return value


Literally = Annotated[Text, Field(min_length=1, max_length=1000), AfterValidator(_literal)]


CommitComment = Annotated[Text, Field(min_length=1, max_length=60, pattern=r"^[^\"\\\\?]+$")]


class NamedPattern(Arguments):
    """One of the patterns that this driver knows."""

    pattern: PatternName
    """`prompt_any`: any prompt; or a question: `confirm` `yes_no` `password` `username` `filename`."""


class FileTransfer(Arguments):
    """Which way a file goes."""

    operation: Literal["upload", "download"]
    remote_path: Text = Field(min_length=1, max_length=1024)
    overwrite: bool = True
    """Of an upload: replace a file that is there."""
    file_system: Text | None = Field(default=None, max_length=64)
    """`flash:`, `bootflash:`, `/var/tmp`, …; by default where the platform keeps files."""


class NetmikoQuery(Arguments):
    """How to run read commands."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"auto_find_prompt", "delay_factor", "max_loops"})

    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each command may take."""
    expect_string: Literally | NamedPattern | None = None
    """Literal text that ends the output instead of the prompt, or the name of a pattern."""
    cmd_verify: bool = True
    strip_prompt: bool = True
    strip_command: bool = True
    normalize: bool = True
    enable_mode: bool | None = None
    """Whether to run privileged; by default if there is a `secret`."""
    file_transfer: FileTransfer | None = None
    """For uploads and downloads; other jobs have no use for it."""
    auto_find_prompt: bool | None = None
    delay_factor: float | None = None
    max_loops: int | None = None

    @property
    def ending(self) -> str | None:
        """`expect_string` as a regular expression; None: the prompt."""
        if isinstance(self.expect_string, NamedPattern):
            return PATTERNS[self.expect_string.pattern]
        return None if self.expect_string is None else re.escape(self.expect_string)


class NetmikoConfig(ChangeArguments):
    """How to enter configuration lines."""

    no_effect: ClassVar[frozenset[str]] = frozenset({"delay_factor", "max_loops"})

    read_timeout: float = Field(default=30, gt=0, le=3600)
    """Seconds that each line may take."""
    save: bool = False
    """Save the configuration as the platform does it, once the change is to stay: a change that may still be undone is
    saved when it is kept or confirmed."""
    commit: bool = True
    """False: leave what was entered in the candidate. Where a candidate outlives the session."""
    check: bool = False
    """Have the device check the candidate, and drop it."""
    comment: CommitComment | None = None
    """Kept by the device with the commit."""
    error_pattern: Literally | None = None
    """Literal text that means a line was refused, besides the built-in ones."""
    config_mode_command: Text | None = None
    enter_config_mode: bool = True
    exit_config_mode: bool = True
    cmd_verify: bool = True
    strip_prompt: bool = True
    strip_command: bool = True
    enable_mode: bool | None = None
    """Whether to run privileged; by default yes, where the platform knows the difference."""
    delay_factor: float | None = None
    max_loops: int | None = None
