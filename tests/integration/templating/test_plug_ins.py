"""Renderers and parsers of other packages, found by entry point and run in the same children."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from jobs.templating.errors import ParsingFailed, RenderingFailed, TemplateRefused
from jobs.templating.pool import Children

pytestmark = pytest.mark.anyio

_MODULE = """
from jobs.templating.errors import RenderingFailed

def shout(template, context, args):
    if "{" in template:
        raise RenderingFailed("no braces here", line=1)
    return (template % context).upper() + args.get("end", "")

def count(template, text, args):
    return [{"lines": len(text.splitlines())}]

def python(template, text, args):
    return eval(template, {"text": text})

python.evaluates = True

def jinja2(template, context, args):
    return "another jinja2"
"""
_ENTRY_POINTS = """
[netpulse.renderers]
shout = loud:shout
jinja2 = loud:jinja2
[netpulse.parsers]
count = loud:count
python = loud:python
"""


@pytest.fixture
async def extended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Children]:
    """One child, in an environment into which a package with plug-ins is installed."""
    information = tmp_path / "loud-1.dist-info"
    information.mkdir()
    (tmp_path / "loud.py").write_text(_MODULE)
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 1\n")
    (information / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    children = Children(1)
    await children.start()
    yield children
    await children.close()


async def test_plug_ins_run_like_the_built_in_engines(extended: Children) -> None:
    assert extended.engines >= {"shout", "count", "python"}
    greeting = {"template": "hello %(name)s", "context": {"name": "r1"}, "args": {"end": "!"}}
    assert await extended.run("shout", greeting) == {"text": "HELLO R1!"}
    assert await extended.run("count", {"text": "a\nb"}) == [{"lines": 2}]
    assert await extended.run("jinja2", {"template": "{{ 1 }}"}) == {"text": "1"}  # its name cannot be taken

    with pytest.raises(RenderingFailed, match="line 1: no braces here"):
        await extended.run("shout", {"template": "{"})
    with pytest.raises(RenderingFailed, match=r"shout failed \(KeyError\)"):
        await extended.run("shout", {"template": "%(missing)s"})


async def test_one_that_evaluates_code_never_shares_its_child(extended: Children) -> None:
    [before] = extended.pids
    assert await extended.run("python", {"template": "len(text)", "text": "abc"}) == 3
    assert before not in extended.pids
    with pytest.raises(ParsingFailed, match=r"python failed \(PermissionError\)"):
        await extended.run("python", {"template": "open('/etc/passwd').read()", "text": ""})


async def test_without_a_sandbox_no_code_is_evaluated(extended: Children) -> None:
    extended.sandboxed = False  # as on a system without seccomp

    for engine, once in (("python", False), ("ttp", True)):
        with pytest.raises(TemplateRefused, match="no sandbox"):
            await extended.run(engine, {"template": "1", "text": ""}, once=once)
    assert await extended.run("ttp", {"template": "a {{ b }}", "text": "a 1"}) == [{"b": "1"}]
