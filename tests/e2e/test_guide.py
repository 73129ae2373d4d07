"""docs/GUIDE.md is true: every line of the guide is in it, and does what it shows."""

import json
import re

from conftest import SLOW, start_in
from guide import LINES, ROOT, Shell, read_blocks

DOCUMENT = ROOT / "docs" / "GUIDE.md"


def test_every_line_of_the_guide_is_there():
    assert [command for command, _ in read_blocks(DOCUMENT.read_text())] == LINES


def shape(value):
    """What of a JSON value is the same on every machine."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return "list"
    return "number" if isinstance(value, (int, float)) and value is not True else type(value).__name__


def same_shape(shown, got, where=""):
    if shown in ("NoneType", got) or got == "NoneType":
        return
    if isinstance(shown, dict) and isinstance(got, dict):
        # Names that are data: ways, providers, kinds that only some machines have.
        if not all(re.fullmatch(r"\w+", name) for name in shown):
            return
        assert shown.keys() == got.keys(), f"{where}: {shown.keys() ^ got.keys()}"
        for name in shown:
            same_shape(shown[name], got[name], f"{where}.{name}")
        return
    assert {shown, got} <= {"number", "bool"}, f"{where} is {got}, not {shown}"


def labels(text):
    """What stands before a colon, or the head of a table: the words that do not depend on a run."""
    found = set()
    for line in text.splitlines():
        label = re.match(r"\s*[-*>#]*\s*([A-Za-z][A-Za-z /()-]{2,40}):(\s|$)", line)
        if label:
            found.add(label[1].strip())
        heading = re.match(r"#+ (.+)", line)
        if heading:
            found.add(heading[1])
    return found - {"The machine was busy"}  # which it was, or was not, when the lines were typed


def compare(shown, got):
    try:
        shown_value = json.loads(shown)
    except ValueError:
        missing = labels(shown) - labels(got)
        assert not missing, f"{missing} not in:\n{got}"
        return
    same_shape(shape(shown_value), shape(json.loads(got)))


@SLOW
def test_the_lines_do_what_the_document_shows(start, place):
    work, home = place
    server = start_in(start, place, KOKORO_SKIP_BENCHMARKING="true").wait_ready()
    # Forty seconds of measuring show as much of the output as five minutes.
    environment = {"KOKORO_HOME": str(home), "KOKORO_BENCHMARK_MAX_S": "40"}
    shell = Shell(work, server.url.removeprefix("http://"), environment)
    assert server.post({"input": "Something to see."}).status_code == 200
    for command, shown in read_blocks(DOCUMENT.read_text()):
        status, output = shell.type(command)
        assert status == 0, f"{command}: {status}\n{output}"
        assert bool(output) == bool(shown), command
        compare(shown, output)
    assert "KOKORO_BENCHMARK_FREQUENCY=weekly" in (work / ".env").read_text()
    assert (work / "benchmark_results.md").exists()
