"""Lines for shells, read back by the shells themselves."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.keys.key import KeyKind, UpstreamKey
from claudegwd.keys.shell_text import (
    BEGIN,
    END,
    DamagedBlock,
    Shell,
    env_file,
    env_lines,
    source_lines,
    sourced_by,
    with_block,
    without_block,
)

RELAY = UpstreamKey("a", "sk-false-1$(x)!*#~;&|<>{}", "https://relay.example/v1")
DIRECT = UpstreamKey("b", "sk-false-2")
API = UpstreamKey("c", "sk-false-3", kind=KeyKind.API_KEY)
# Every shell that this machine has; sh is everywhere.
SHELLS = [(name, shell) for name, shell in {
    "sh": Shell.BASH, "dash": Shell.BASH, "bash": Shell.BASH, "zsh": Shell.ZSH, "fish": Shell.FISH
}.items() if shutil.which(name)]  # fmt: skip
BEFORE = {"ANTHROPIC_AUTH_TOKEN": "old", "ANTHROPIC_API_KEY": "old", "ANTHROPIC_BASE_URL": "old"}


def run(program: str, text: str, home: Path) -> dict[str, str]:
    """The ANTHROPIC_ variables of a child of ``program`` after it read ``text``."""
    env = {"PATH": os.environ["PATH"], "HOME": str(home), **BEFORE}
    result = subprocess.run([program, "-c", text + "\nenv"], env=env, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("ANTHROPIC_"))


def meant(key: UpstreamKey) -> dict[str, str]:
    return {name: value for name, value in key.environment().items() if value}


@pytest.mark.parametrize(("program", "shell"), SHELLS)
@pytest.mark.parametrize("key", [RELAY, DIRECT, API], ids=lambda key: key.name)
def test_shells_read_the_lines(program: str, shell: Shell, key: UpstreamKey, tmp_path: Path) -> None:
    assert run(program, env_lines(key, shell), tmp_path) == meant(key)


@pytest.mark.parametrize(("program", "shell"), SHELLS)
@pytest.mark.parametrize("key", [RELAY, DIRECT, API], ids=lambda key: key.name)
@pytest.mark.parametrize("name", ["env.sh", "it's a \\ $HOME/env.sh"])
def test_shells_source_env_sh(program: str, shell: Shell, key: UpstreamKey, name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    assert run(program, source_lines(str(path), shell), tmp_path) == BEFORE
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(env_file(key, ["/home/x/.bashrc"]))
    assert run(program, source_lines(str(path), shell), tmp_path) == meant(key)


def test_without_a_key_nothing_is_set_or_unset() -> None:
    assert env_lines(None, Shell.BASH) == env_lines(None, Shell.FISH) == ""


@given(st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)))
def test_env_sh_remembers_who_sources_it(names: list[str]) -> None:
    assert sourced_by(env_file(RELAY, names)) == tuple(names)


def test_names_that_are_not_utf8_are_remembered() -> None:
    name = os.fsdecode(b"/home/\xff/.bashrc")
    assert sourced_by(env_file(None, [name])) == (name,)


@pytest.mark.parametrize("data", [b"", b"a", b"a\n", b"a\n\n", b"a\r\nb\r\n", b"\xff\xfe\x00"])
def test_the_block_goes_to_the_end_once_and_comes_off_again(data: bytes) -> None:
    once = with_block(data, "/x/env.sh", Shell.BASH).data
    assert once.startswith(data)
    assert (once.count(BEGIN), once.count(END)) == (1, 1)
    assert with_block(once, "/x/env.sh", Shell.BASH).data == once
    assert without_block(once).data == data


def test_the_block_keeps_its_place_and_follows_a_moved_env_sh() -> None:
    first = with_block(b"a\n", "/x/env.sh", Shell.BASH).data + b"b\n"
    second = with_block(first, "/y/env.sh", Shell.BASH).data
    assert second == first.replace(b"/x/", b"/y/")


def test_copies_of_the_block_are_merged() -> None:
    block = with_block(b"", "/x/env.sh", Shell.BASH).data
    assert with_block(block + b"a\n" + block, "/x/env.sh", Shell.BASH).data == block + b"a\n"


def test_old_exports_are_commented_out_and_told() -> None:
    data = (
        b'a=1\nexport ANTHROPIC_AUTH_TOKEN="sk-false-1"\nif true; then\n\texport ANTHROPIC_BASE_URL=x\nfi\n'
        b"# export ANTHROPIC_AUTH_TOKEN=x\nexport ANTHROPIC_AUTH_TOKEN=a\\\nb\nexport ANTHROPIC_AUTH_TOKEN_X=1\n"
        b"ANTHROPIC_BASE_URL=x claude\nexport ANTHROPIC_AUTH_TOKEN=last"
    )
    edit = with_block(data, "/x/env.sh", Shell.BASH)
    assert edit.commented == (2, 4, 11)
    lines = edit.data.split(b"\n")
    assert lines[1] == b'# commented out by claudegwd: export ANTHROPIC_AUTH_TOKEN="sk-false-1"'
    assert lines[3] == b"\t: # commented out by claudegwd: export ANTHROPIC_BASE_URL=x"
    assert lines[5:10] == data.split(b"\n")[5:10]
    assert with_block(edit.data, "/x/env.sh", Shell.BASH).data == edit.data
    assert with_block(edit.data, "/x/env.sh", Shell.BASH).commented == ()


def test_a_block_without_an_end_is_left_to_a_person() -> None:
    data = BEGIN + b"\nprecious\n"
    with pytest.raises(DamagedBlock, match="by hand"):
        with_block(data, "/x/env.sh", Shell.BASH)
    with pytest.raises(DamagedBlock, match="by hand"):
        without_block(data)


lines_of_files = st.lists(
    st.sampled_from([b"a\n", b"\n", b"export ANTHROPIC_BASE_URL=1\n", END + b"\n", BEGIN + b"\n"])
)


@given(st.binary(max_size=80) | lines_of_files.map(b"".join))
def test_any_file_is_idempotent_or_damaged(data: bytes) -> None:
    try:
        once = with_block(data, "/x/env.sh", Shell.BASH).data
    except DamagedBlock:
        return
    assert with_block(once, "/x/env.sh", Shell.BASH).data == once
    assert BEGIN not in without_block(once).data
