"""Prompts: what ends an output, and what only looks like it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.netmiko.prompt import Prompt, plausible
from drivers.netmiko.stream import TextStream
from drivers.netmiko.transcript import Transcript

R2 = Prompt("R2#", "R2")


@pytest.mark.parametrize("tail", ["R2#", "a\nR2#", "a\nR2# \n", "\nR2#"])
def test_the_prompt_alone_on_its_line_is_an_end(tail: str) -> None:
    assert R2.ends(tail)


@pytest.mark.parametrize("tail", ["", "hostname R2", "see R2#", "a\nR2# now", "R2#\nx", "xR2#", "R2(config)#"])
def test_the_prompt_elsewhere_is_not(tail: str) -> None:
    assert not R2.ends(tail)


@pytest.mark.parametrize(
    ("known", "base", "tail"),
    [("sw.3 #", "sw", "x\nsw.4 #"), ("sw.3 #", "sw", "x\n* sw.12 #"), ("A:sr#", "A:sr", "x\n*A:sr#")],
)
def test_counters_and_marks_move_but_are_the_same_prompt(known: str, base: str, tail: str) -> None:
    assert Prompt(known, base).ends(tail)
    assert not Prompt(known, base).ends(tail + "\n")
    assert not Prompt("R2#", "R2").ends("x\nR3#")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_prompt_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="empty"):
        Prompt(text, "R2")
    with pytest.raises(ValueError, match="empty"):
        Prompt("R2#", "")


@pytest.mark.parametrize(
    ("known", "base", "tail"),
    [
        ("R2#", "R2", "x\nR2(config-if)#"),
        ("R2#", "R2", "x\nR2>"),
        ("RP/0/RSP0/CPU0:xr#", "RP/0/RSP0/CPU0:xr", "RP/0/RSP0/CPU0:xr(config)#"),
        ("<HW>", "HW", "x\n[~HW-GigabitEthernet0/0/1]"),
        ("admin@srx>", "admin@srx", "[edit]\nadmin@srx# "),
        ("*A:sr#", "A:sr", "A:sr>config>port#"),
        ("FGT #", "FGT", "FGT (interface) # "),
    ],
)
def test_other_modes_are_related(known: str, base: str, tail: str) -> None:
    assert Prompt(known, base).related(tail)


@pytest.mark.parametrize(
    "tail",
    [
        "Proceed with reload? [confirm]",
        "R2: reload? [confirm]",
        "Delete R2.cfg? [confirm]",
        "Overwrite R2 [yes/no]: ",
        "Password: ",
        "hostname R2",
        "see R2#",
        "R2(config)#\n",
        " --More-- ",
        "",
    ],
)
def test_questions_and_content_are_not_prompts(tail: str) -> None:
    assert not R2.related(tail)
    assert not Prompt("[~R2]", "R2").related(tail)
    assert R2.renamed(tail) is None


@pytest.mark.parametrize(
    "tail", ["Reload? [confirm]", "[confirm]", "[Y/N]", "Password:", "--More--", "file []?", "x#\n"]
)
def test_nothing_that_asks_is_plausible(tail: str) -> None:
    assert not plausible(tail)


@pytest.mark.parametrize(
    ("known", "base", "tail", "name"),
    [
        ("R2(config)#", "R2", "\nR9(config)#", "R9"),
        ("R2(config-if)#", "R2", "\nR9(config)#", "R9"),
        ("[~HW]", "HW", "\n[*NEW]", "NEW"),
        ("[HW-GigabitEthernet0/0/1]", "HW", "\n[NEW]", "NEW"),
        ("[HW]", "HW", "\n[Y/N]", None),
        ("[HW]", "HW", "\n[confirm]", None),
        ("R2#", "R2", "\nR9#", "R9"),
        ("R2#", "R2", "\nsome words R9#", None),
        ("R2(config)#", "R2", "\nR9#", None),
        ("[HW]", "HW", "Continue? [confirm]", None),
    ],
)
def test_a_new_hostname_is_recognised(known: str, base: str, tail: str, name: str | None) -> None:
    assert Prompt(known, base).renamed(tail) == name


LINES = st.lists(
    st.sampled_from(
        [
            "hostname R2",
            "banner see R2# now",
            "R2 is up",
            " R2#x",
            "",
            "é ü 日本",
            "x R2#",
            "interface Gi0/1",
            "a\tb#",
        ]
    )
)
CUTS = st.lists(st.integers(min_value=1, max_value=12), min_size=1)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    cut: list[bytes] = []
    position = 0
    while position < len(data):
        size = sizes[len(cut) % len(sizes)]
        cut.append(data[position : position + size])
        position += size
    return cut


def normal(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


@given(lines=LINES, sizes=CUTS)
def test_any_cutting_gives_the_same_output(lines: list[str], sizes: list[int]) -> None:
    """However the bytes arrive, the reply is complete, and only at its end."""
    expected = "\n".join(["show run", *lines, "R2#"])
    stream, transcript = TextStream("utf-8"), Transcript(R2.ends, "show run")
    parts = pieces(expected.replace("\n", "\r\n").encode(), sizes)
    ends = [transcript.feed(stream.feed(part, normal, None)) for part in parts]
    assert ends == [False] * (len(parts) - 1) + [True]
    assert transcript.text() == expected


@given(noise=st.text(alphabet="R2#\n showun", max_size=40), sizes=CUTS)
def test_late_output_before_the_echo_is_dropped(noise: str, sizes: list[int]) -> None:
    if "show run" in noise:
        return
    transcript = Transcript(R2.ends, "show running-config")
    for part in pieces(f"{noise}show running-config\nx\nR2#".encode(), sizes):
        transcript.feed(part.decode())
    assert transcript.text() == "show running-config\nx\nR2#"
    assert transcript.complete


def test_an_echo_that_the_terminal_wrapped_is_an_echo() -> None:
    transcript = Transcript(R2.ends, "description a long line")
    assert transcript.feed("description a lo\n\x08ng line\nR2#")
    assert transcript.text() == "description a long line\nR2#"


def test_a_big_output_is_not_searched_again_and_again() -> None:
    seen: list[int] = []

    def ending(tail: str) -> bool:
        seen.append(len(tail))
        return False

    transcript = Transcript(ending, "show log")
    transcript.feed("show log\n")
    for _ in range(500):
        transcript.feed("x" * 4000)
    assert len(transcript.text()) > 2_000_000
    assert max(seen) <= 8192


@pytest.mark.parametrize("newline", ["\r\n", "\n\r", "\r\r\n", "\n"])
@given(sizes=CUTS)
def test_line_ends_may_be_cut_anywhere(newline: str, sizes: list[int]) -> None:
    data = newline.join(["a", "b", "c#"]).encode()
    stream = TextStream("utf-8")

    def as_netmiko(text: str) -> str:
        for end in ("\r\r\n", "\r\n", "\n\r", "\r"):
            text = text.replace(end, "\n")
        return text

    assert "".join(stream.feed(part, as_netmiko, None) for part in pieces(data, sizes)) == "a\nb\nc#"


@given(data=st.binary(max_size=60), sizes=CUTS)
def test_no_bytes_end_a_session(data: bytes, sizes: list[int]) -> None:
    stream = TextStream("utf-8")
    assert "".join(stream.feed(part, str, None) for part in pieces(data + b"\nR2#", sizes)).endswith("R2#")


@given(sizes=CUTS)
def test_a_terminal_code_may_be_cut(sizes: list[int]) -> None:
    stream = TextStream("utf-8")
    parts = pieces(b"a\x1b[24;1Hb\x1b[?25hc#", sizes)
    text = "".join(
        stream.feed(part, str, lambda t: t.replace("\x1b[24;1H", "").replace("\x1b[?25h", "")) for part in parts
    )
    assert text == "abc#"
