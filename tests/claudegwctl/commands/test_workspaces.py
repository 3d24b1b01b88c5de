from __future__ import annotations

from pathlib import Path

import pytest

from claudegwctl.commands.workspaces import lines_of
from tests.control_cli import Done, ctl, ctl_without_daemon
from tests.small_gateway import SmallGateway


@pytest.fixture
def work(tmp_path: Path) -> Path:
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


async def test_adding_listing_and_removing(gateway: SmallGateway, socket: Path, work: Path) -> None:
    gateway.config_file.write_text("# mine\n[log]\n")
    assert "no workspaces" in (await ctl(socket, "workspaces", "ls")).out
    words = ("--clients", "webui, n8n", "--tools", "Read,Bash", "--allow", "Bash(pytest *)", "--allow", "Bash(ls)")
    done = await ctl(socket, "workspaces", "add", "shop", str(work), *words, "--otherwise", "ask")
    assert done.out == f"added shop to {gateway.config_file}\nmodels: sonnet@shop\n"
    assert gateway.config_file.read_text() == (
        f'# mine\n[log]\n\n[workspaces.shop]\ndirectory = "{work}"\ntools = ["Read", "Bash"]\n'
        'allow = ["Bash(pytest *)", "Bash(ls)"]\nclients = ["webui", "n8n"]\notherwise = "ask"\n'
    )
    assert list(gateway.config.workspaces) == ["shop"]
    listed = (await ctl(socket, "workspaces", "list")).out.splitlines()
    users = "webui (no such client), n8n (no such client)"
    assert listed[1].split("  ")[:4] == ["shop", str(work), "Read Bash", users]
    assert "auto (full)" in listed[1]
    assert "conversation" not in listed[1]  # it keeps none
    again = await ctl(socket, "workspaces", "add", "shop", str(work))
    assert (again.status, again.err.split(":")[0]) == (1, "cannot add workspace 'shop'")
    done = await ctl(socket, "workspaces", "rm", "shop", "--json")
    assert (done.json["name"], done.json["reloaded"], done.json["drop_in"]) == ("shop", True, None)
    assert gateway.config_file.read_text() == "# mine\n[log]\n"
    assert dict(gateway.config.workspaces) == {}
    assert (await ctl(socket, "workspaces", "remove", "shop")).err.startswith("cannot find workspace 'shop'")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shop", "/nowhere"], "workspaces.shop.directory is not an existing directory"),
        (["Shop!", "."], "is not a valid name"),
        (["shop", ".", "--tools", "Rd"], 'workspaces.shop.tools cannot contain "Rd"'),
        (["shop", ".", "--allow", "Bash(*)"], "workspaces.shop.allow cannot contain"),
    ],
)
async def test_what_is_refused_is_not_written(gateway: SmallGateway, socket: Path, words: list[str], said: str) -> None:
    done = await ctl(socket, "workspaces", "add", *words)
    assert (done.status, said in done.err) == (1, True)
    assert gateway.config_file.read_text() == ""


async def test_checking_with_a_daemon(gateway: SmallGateway, socket: Path, work: Path) -> None:
    gateway.config_file.write_text(f'[workspaces.shop]\ndirectory = "{work}"\n')
    done = await ctl(socket, "workspaces", "check")
    assert (done.status, done.out.split(",")[0]) == (1, f"shop: {work}")
    assert done.err == "cannot use shop as written: the daemon has not loaded it; run `claudegwctl reload`\n"
    await ctl(socket, "reload")
    done = await ctl(socket, "workspaces", "check", "shop")
    assert (done.status, done.err) == (0, "")
    other = await ctl(socket, "workspaces", "check", "other")
    assert (other.status, other.err.startswith("cannot find workspace 'other'")) == (1, True)
    gateway.config_file.write_text(gateway.config_file.read_text() + "anonymous = true\n")
    assert "has not loaded it" in (await ctl(socket, "workspaces", "check")).err


async def test_a_client_that_there_is_not(socket: Path, work: Path) -> None:
    await ctl(socket, "clients", "create", "webui")
    done = await ctl(socket, "workspaces", "add", "shop", str(work), "--clients", "webui,webiu")
    said = "there is no client 'webiu'; correct the name, or create it with `claudegwctl clients create webiu`"
    assert (done.status, done.err) == (0, f"{said}\n")
    done = await ctl(socket, "workspaces", "check")
    assert (done.status, done.err) == (1, f"cannot use shop as webiu: {said}\n")
    assert "webui, webiu (no such client)" in (await ctl(socket, "workspaces", "list")).out
    await ctl(socket, "clients", "create", "webiu")
    assert (await ctl(socket, "workspaces", "check")).status == 0


def test_without_a_daemon(nowhere: Path, work: Path, tmp_path: Path) -> None:
    def run(*words: str) -> Done:
        return ctl_without_daemon(
            "--socket", str(nowhere), "workspaces", *words, CONFIGURATION_DIRECTORY=str(tmp_path),
            STATE_DIRECTORY=str(tmp_path / "state"),
        )  # fmt: skip

    assert run("list").status == 3
    assert (run("check").status, run("check", "--json").json["workspaces"]) == (0, [])
    assert run("check").out == "no workspaces; create one with `claudegwctl workspaces add NAME DIRECTORY`\n"
    done = run("add", "shop", str(work))
    assert (done.status, "it will load the change when it starts" in done.out) == (0, True)
    assert "nobody may use it yet" in done.err
    assert (run("check").status, run("check").out.startswith(f"shop: {work}, sandbox auto (")) == (0, True)
    work.rmdir()
    done = run("check", "--json")
    assert (done.status, len(done.json["problems"])) == (1, 1)
    assert "workspaces.shop.directory is not an existing directory" in done.json["problems"][0]


@pytest.mark.parametrize(
    ("content", "problem", "said"),
    [
        ("[Service]\n", "", ["wrote /d/w.conf, which permits", "    [Service]"]),
        ("", "", ["removed /d/w.conf"]),
        ("[Service]\n", "cannot write /d/w.conf: refused", ["cannot write", "as root, ", "    [Service]"]),
        ("", "cannot remove /d/w.conf: refused", ["cannot remove", "as root, remove /d/w.conf"]),
    ],
)
def test_what_is_said_of_the_units_drop_in(content: str, problem: str, said: list[str]) -> None:
    lines = list(lines_of({"path": "/d/w.conf", "content": content, "problem": problem, "then": "restart it"}))
    assert len(lines) == len(said) + 1
    assert all(line.startswith(begin) for line, begin in zip(lines, said, strict=False))
    assert lines[-1] == "then, to apply it: restart it"


async def test_a_daemon_that_cannot_take_it_says_why(gateway: SmallGateway, socket: Path, work: Path) -> None:
    gateway.config_file.write_text('[log]\nlevel = "loud"\n')  # which only we put right, by our environment
    done = await ctl(socket, "workspaces", "add", "shop", str(work), CLAUDEGWD_LOG__LEVEL="info")
    assert (done.status, done.err.split(":")[0]) == (1, "cannot load the change; the daemon continues as before")
    assert dict(gateway.config.workspaces) == {}
