"""netmiko's classes for every platform, made event-driven: one class spliced in just above `BaseConnection`.

Python's method resolution order then lets each platform's own overrides win, while everything that they build on
waits for data instead of sleeping. Prompt rules and echo check: netmiko `send_command`, but anchored.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any

import paramiko
from netmiko.base_connection import BaseConnection
from netmiko.exceptions import NetmikoAuthenticationException, ReadTimeout
from netmiko.ssh_dispatcher import CLASS_MAPPER

from drivers.base import AnyKey, Trust
from drivers.netmiko.channels import EventChannel, LineTelnet, TelnetEventChannel
from drivers.netmiko.prompt import Prompt, last_line
from drivers.netmiko.reads import MOVED_QUIET_S, EventReads, deadline, left, over
from drivers.netmiko.transcript import LONGEST_OUTPUT, Ending, Transcript
from drivers.ssh.host_keys import Recorded, prefer_known

_CRUMB_S = 0.02
"""Where even a prompt arrives in pieces, one that seems whole may be the beginning of a line; so wait for the next."""

_FIRST_WORDS_S, _FIRST_PAUSE_S = 0.1, 0.03
"""How long a device may take for its first words after the login, and for the next."""


class EventConnection(EventReads):
    """What a platform's netmiko class becomes. Made with `auto_connect=False` and a connected `sock`, then `login`.

    `trust` and `address` (see `drivers.base.device_key`) say whose key the server may have.
    """

    trust: Trust = AnyKey()
    address: str = ""

    # ── login ──

    def login(self, on_shell: Callable[[], None]) -> None:
        """Log in and prepare the terminal; `on_shell` is called once the device has accepted the login."""
        self._modify_connection_params()
        self.establish_connection()
        on_shell()
        self.prepare()

    def prepare(self) -> None:
        """Prepare the terminal as the platform wants it, and learn the prompt."""
        self._settled = False
        self._try_session_preparation()
        for _ in range(3):  # what netmiko took for a prompt may have been a '#' in a banner
            if self._full_prompt and self.settle(1.0) and last_line(self._tail).strip() == self._full_prompt:
                break
            self._full_prompt = self.find_prompt()
        self.base_prompt = self.base_prompt or self._full_prompt  # netmiko's `generic` has none: never an empty pattern
        self._settled = True

    def establish_connection(self, width: int = 511, height: int = 1000) -> None:
        """netmiko's own, but on the given socket, with an event channel, and with the library's errors as they are."""
        if self.protocol == "telnet":
            assert self.sock is not None
            self.remote_conn = LineTelnet(self.sock, self.host, self.port)
            self.channel = TelnetEventChannel(self.remote_conn)
            self.telnet_login()
            return
        client = self.connect_client()
        shell = self.remote_conn = client.invoke_shell(term="vt100", width=width, height=height)
        shell.settimeout(self.blocking_timeout)
        if self.keepalive:
            shell.get_transport().set_keepalive(int(self.keepalive))
        self.channel = EventChannel(shell)
        self.special_login_handler()

    def connect_client(self) -> paramiko.SSHClient:
        """Log in by SSH, without a shell."""
        client: paramiko.SSHClient = self._build_ssh_client()
        self.remote_conn_pre = client
        client.set_missing_host_key_policy(Recorded(self.trust, self.address))
        client.connect(
            **self._connect_params_dict(), channel_timeout=self.conn_timeout, transport_factory=self._transport_on
        )
        return client

    def _transport_on(self, sock: Any, **options: Any) -> paramiko.Transport:
        transport = paramiko.Transport(sock, **options)
        prefer_known(transport, self.trust.known(self.address))
        return transport

    def _try_session_preparation(self, force_data: bool = True) -> None:
        """netmiko's, without its `disconnect` on failure, which types into the command line."""
        if force_data:
            self.write_channel(self.RETURN)
            self._read_buffer = self._first_words()
        self.session_preparation()

    def _first_words(self) -> str:
        """What the device says on its own accord: netmiko waits 100 ms for it, this until it pauses."""
        output = ""
        pause = _FIRST_WORDS_S
        while len(output) < LONGEST_OUTPUT and self.channel.wait(pause):
            output += self.read_channel()
            pause = _FIRST_PAUSE_S
        return output

    def disconnect(self) -> None:
        """Nothing: the session closes the socket, and no farewell is typed."""

    def find_prompt(self, delay_factor: float = 1.0, pattern: str | None = None) -> str:
        """netmiko's; the whole prompt is kept."""
        self._full_prompt = super().find_prompt(delay_factor=delay_factor, pattern=pattern)
        return self._full_prompt

    def enable_secret_handler(self, pattern: str, output: str, re_flags: int = re.IGNORECASE) -> str:
        """netmiko's, but a second question for the password is a refusal, not a reason to wait."""
        if not re.search(pattern, output, flags=re_flags):
            return ""
        self.write_channel(self.normalize_cmd(self.secret))
        answer = self.read_until_prompt_or_pattern(pattern=pattern, re_flags=re_flags)
        if re.search(pattern, answer, flags=re_flags):
            raise NetmikoAuthenticationException("the enable password was asked for again")
        return answer

    def relearn(self) -> None:
        """Take the prompt that the device stands at now for its prompt; asks for it only if it looks foreign."""
        if not self.settle(MOVED_QUIET_S):
            self.set_base_prompt()
        if self.settle(MOVED_QUIET_S):
            self._full_prompt = last_line(self._tail)

    # ── commands ──

    def send_command(
        self,
        command_string: str,
        expect_string: str | None = None,
        read_timeout: float = 10.0,
        *args: Any,  # noqa: ARG002 (netmiko's signature)
        strip_prompt: bool = True,
        strip_command: bool = True,
        normalize: bool = True,
        cmd_verify: bool = True,
        **kwargs: Any,  # noqa: ARG002
    ) -> str:
        """netmiko's, event-driven. Without `expect_string` (a regex, netmiko's own) it ends at the cached prompt.

        Raises ReadTimeout after `read_timeout` seconds. The other arguments of netmiko's method have no effect.
        """
        ending: Ending = self.prompt.ends if expect_string is None else _matches(expect_string)
        output = self.exchange(
            command_string,
            ending,
            read_timeout,
            verify=cmd_verify,
            normalize=normalize,
            may_move=expect_string is None,
        )
        return self._sanitize_output(
            output, strip_command=strip_command, command_string=command_string, strip_prompt=strip_prompt
        )

    def exchange(
        self,
        line: str,
        ending: Ending,
        timeout_s: float,
        *,
        verify: bool = True,
        normalize: bool = True,
        may_move: bool = True,
        home: Prompt | None = None,
    ) -> str:
        """Send one line; return everything from its echo to `ending`. With `may_move`, a changed prompt ends it too.

        `home` is another prompt that the line may lead to, perhaps under a new name.
        Raises ReadTimeout after `timeout_s` seconds, and never sends the line twice.
        """
        verify = verify if self.global_cmd_verify is None else self.global_cmd_verify
        transcript = Transcript(ending, line.strip() if verify else "")
        until = deadline(timeout_s)
        self.write_channel(self.normalize_cmd(line) if normalize else line)
        while not self._ended(transcript, self.read_channel()):
            if over(until):
                raise ReadTimeout("no prompt in time")
            quiet = not self.channel.wait(left(until, MOVED_QUIET_S))
            if quiet and may_move and transcript.echoed and self._moved(transcript.tail, home):
                break
        return transcript.text()

    def _ended(self, transcript: Transcript, fresh: str) -> bool:
        """Whether `fresh` completes the output. What follows at once shows the contrary."""
        if not transcript.feed(fresh):
            return False
        if 0 < len(fresh) < len(self._full_prompt):
            self.channel.wait(_CRUMB_S)
        return self.channel.closed() or not self.channel.pending()

    def standing_at(self, tail: str) -> bool:
        """An ending for configuration lines: this device's prompt in whatever mode, which becomes the known one."""
        prompt = self.prompt
        if not (prompt.ends(tail) or prompt.related(tail)):
            return False
        self._full_prompt = last_line(tail)
        return True

    def _moved(self, tail: str, home: Prompt | None = None) -> bool:
        prompt = self.prompt
        name = None if prompt.related(tail) else prompt.renamed(tail) or (home.renamed(tail) if home else None)
        if name is not None:
            self.base_prompt = name
        elif not prompt.related(tail):
            return False
        self._full_prompt = last_line(tail)
        return True


@cache
def connection_class(device_type: str) -> type[EventConnection]:
    """The event-driven class for a device type of netmiko's CLASS_MAPPER."""
    return _spliced(CLASS_MAPPER[device_type])


@cache
def _spliced(platform: type[BaseConnection]) -> type[EventConnection]:
    return type(f"Event{platform.__name__}", (platform, EventConnection), {})


def _matches(pattern: str) -> Ending:
    expression = re.compile(pattern)
    return lambda tail: expression.search(tail) is not None
