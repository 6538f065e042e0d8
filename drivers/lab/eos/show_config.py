"""The `show` commands about configurations and configuration sessions."""

from drivers.lab.eos.config import Config, diff, interface_name, is_physical
from drivers.lab.eos.errors import INVALID, Refused
from drivers.lab.eos.session import Args, Model, Reply, Session, Show, modelled, textual
from drivers.lab.eos.sessions import MAX_COMPLETED, MAX_PENDING, Candidate
from drivers.lab.ios.filters import compile_pattern
from drivers.lab.terminal import Output

_HIDDEN = "<removed>"


def _header(session: Session, command: str) -> list[str]:
    return [f"! Command: {command}", f"! device: {session.switch.hostname} (vEOS-lab, EOS-4.30.1F)"]


def _running(session: Session, _: Args) -> Reply:
    return _reply(session, "show running-config", session.switch.running)


def _running_all(session: Session, _: Args) -> Reply:
    config = session.switch.running.copy()
    for name in config.interfaces():
        _add_defaults(name, config.interface(name))
    return _reply(session, "show running-config all", config)


def _add_defaults(name: str, block: Config) -> None:
    defaults = {"mtu": "mtu 1500", "shutdown": "no shutdown"}
    if is_physical(name) and "no switchport" not in block.blocks and name.startswith("Ethernet"):
        defaults["switchport"] = "switchport"
    for keyword, line in defaults.items():
        if not block.value(keyword) and keyword not in block.blocks:
            block.enter(line)


def _running_sanitized(session: Session, _: Args) -> Reply:
    return _reply(session, "show running-config sanitized", _sanitized(session.switch.running))


def _sanitized(config: Config) -> Config:
    """Without secrets."""
    shown = Config()
    for line, below in config.blocks.items():
        words = line.split(" ")
        if "sha512" in words:
            words[words.index("sha512") + 1 :] = [_HIDDEN]
        shown.blocks[" ".join(words)] = below.copy()
    return shown


def _startup(session: Session, _: Args) -> Reply:
    if session.switch.startup is None:
        return Reply({"header": [], "cmds": {}}, "")
    return _reply(session, "show startup-config", session.switch.startup)


def _reply(session: Session, command: str, config: Config) -> Reply:
    header = _header(session, command)
    return Reply({"header": header, "cmds": _commands(config)}, "\n".join([*header, *config.lines(), ""]))


def _commands(config: Config) -> Model:
    return {
        line: {"cmds": _commands(below), "comments": []} if below.blocks else None
        for line, below in config.blocks.items()
    }


def _section(session: Session, args: Args) -> Output:
    """The top-level lines that match, or that have a line below them that does, each with all of its block."""
    test, shown = compile_pattern(args[0]), Config()
    for line, below in session.switch.running.blocks.items():
        if test(line) or any(test(each) for each in _flat(below)):
            shown.blocks[line] = below
    return "".join(f"{line}\n" for line in shown.lines()[1:-2])


def _flat(config: Config) -> list[str]:
    return [each for line, below in config.blocks.items() for each in (line, *_flat(below))]


def _running_interface(session: Session, args: Args) -> Output:
    name, running = interface_name(args[0]), session.switch.running
    if f"interface {name}" not in running.blocks:
        raise Refused("Interface does not exist", code=INVALID)
    shown = Config()
    shown.blocks[f"interface {name}"] = running.interface(str(name))
    return "".join(f"{line}\n" for line in shown.lines()[1:-2])


def _sessions(session: Session, _: Args) -> Model:
    switch = session.switch
    return {
        "sessions": {each.name: _session(session, each) for each in switch.sessions.all()},
        "maxSavedSessions": MAX_COMPLETED,
        "maxOpenSessions": MAX_PENDING,
        "mergeOnCommit": False,
        "saveToStartupConfigOnCommit": False,
    }


def _session(session: Session, candidate: Candidate) -> Model:
    switch = session.switch
    shown: Model = {
        "state": candidate.state,
        "description": "",
        "instances": {
            str(line): {"user": user, "terminal": f"vty{line}", "currentTerminal": line == session.line}
            for line, user in switch.editors(candidate)
        },
    }
    if candidate.commit_by is not None:
        shown["commitBy"] = candidate.commit_by - switch.booted
        shown["commitTimeLeft"] = candidate.commit_by - switch.booted - switch.uptime_s()
    return shown


def _sessions_text(model: Model) -> Output:
    head = f"""\
Maximum number of completed sessions: {model["maxSavedSessions"]}
Maximum number of pending sessions: {model["maxOpenSessions"]}
Merge on commit is disabled
Autosave to startup-config on commit is disabled

"""
    row = "  {:<24} {:<20} {:<10} {:<8} {}"
    lines = [row.format("Name", "State", "User", "Terminal", "Commit Time Left")]
    for name, each in model["sessions"].items():
        left = f"{round(each['commitTimeLeft'])} s" if "commitTimeLeft" in each else ""
        who = each["instances"].values() or [{"user": "", "terminal": ""}]
        lines += [row.format(name, each["state"], one["user"], one["terminal"], left) for one in who]
    return head + "".join(f"{line.rstrip()}\n" for line in lines)


def _named(session: Session, args: Args) -> Candidate:
    """The configuration session that is named, or the one in which one is. Raises Refused."""
    if args:
        return session.switch.sessions.find(args[0])
    if session.candidate is None:
        raise Refused("Not currently in a configuration session")
    return session.candidate


def _session_config(session: Session, args: Args) -> Output:
    return _session_text(session, _named(session, args).config)


def _session_config_sanitized(session: Session, args: Args) -> Output:
    return _session_text(session, _sanitized(_named(session, args).config))


def _session_text(session: Session, config: Config) -> Output:
    return "\n".join([*_header(session, "show session-config"), *config.lines(), ""])


def _session_diffs(session: Session, args: Args) -> Output:
    candidate = _named(session, args)
    return diff(session.switch.running, candidate.config, candidate.name)


def _checkpoints(session: Session, _: Args) -> Model:
    return {"checkpoints": {name: {} for name in session.switch.checkpoints}}


def _checkpoints_text(model: Model) -> Output:
    return "".join(f"  {line}\n" for line in ("Filename", "--------", *model["checkpoints"]))


SHOWS = {
    "show configuration checkpoints": modelled(_checkpoints, _checkpoints_text, 15),
    "show configuration sessions": modelled(_sessions, _sessions_text, 15),
    "show configuration sessions detail": modelled(_sessions, _sessions_text, 15),
    "show running-config": Show(_running, 15),
    "show running-config all": Show(_running_all, 15),
    "show running-config interfaces <line>": textual(_running_interface, 15),
    "show running-config sanitized": Show(_running_sanitized, 15),
    "show running-config section <line>": textual(_section, 15),
    "show session-config": textual(_session_config, 15),
    "show session-config diffs": textual(_session_diffs, 15),
    "show session-config named <word>": textual(_session_config, 15),
    "show session-config named <word> diffs": textual(_session_diffs, 15),
    "show session-config named <word> sanitized": textual(_session_config_sanitized, 15),
    "show session-config sanitized": textual(_session_config_sanitized, 15),
    "show startup-config": Show(_startup, 15),
}
