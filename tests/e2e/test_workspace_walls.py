"""What must not be possible from inside a workspace: the real CLI, and a scripted model that tries it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import trio

from tests.e2e.harness import GOOD_KEY, Running, running
from tests.e2e.workspace_scripts import Call, bash, config, results, until_gone, works
from tests.marked_processes import processes

pytestmark = [
    pytest.mark.cli,
    pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="the system has no python3"),
]

SYSTEM = {"PATH": "/usr/bin:/bin"}
# Whatever a script of the repository does, it may do: what holds is the sandbox.
WORKS = """
anonymous = true
sandbox = "required"
tools = ["Read", "Grep", "Glob", "Edit", "Write", "Bash"]
allow = ["Bash(python3 *)", "Edit"]
"""


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    directory = tmp_path / "repo"
    directory.mkdir()
    (tmp_path / "outside.txt").write_text("SECRET-OUTSIDE\n")
    return directory


async def tried(gateway: Running, *calls: Call) -> list[str]:
    """What the model was told of each call."""
    gateway.endpoint.script = works(calls)
    await gateway.ask("Go.", model="sonnet@repo")
    return results(gateway.upstream()[-1])


async def test_no_file_outside_is_read_or_written(repo: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    (repo / "read.py").write_text(
        "import os, sys\n"
        f"os.symlink({str(outside)!r}, 'late') if not os.path.lexists('late') else None\n"
        "for path in sys.argv[1].split('+'):\n"
        "    try: print(open(path).read())\n"
        "    except OSError as error: print('refused', error.errno)\n"
        f"try: open({str(outside)!r}, 'w')\n"
        "except OSError as error: print('not written')\n"
    )
    async with running(works([]), config=config(repo, WORKS), env=SYSTEM) as gateway:
        home = gateway.home
        secret = "+".join(
            str(path) for path in (home / "keys.json", home / "config.toml", home / "env.sh", home / "daemon.log",
                                   home / "state" / "state.sqlite3", f"/proc/{gateway.pid}/environ",
                                   f"/proc/{os.getpid()}/environ", "/etc/shadow")
        )  # fmt: skip
        (repo / "run.py").write_text(f"import sys; sys.argv = ['', {secret!r}]; exec(open('read.py').read())\n")
        told = await tried(
            gateway,
            ("Read", {"file_path": str(outside)}),
            ("Read", {"file_path": "../outside.txt"}),
            bash("python3 run.py"),
            ("Read", {"file_path": "late"}),  # a link that was made during the turn
            ("Write", {"file_path": "late", "content": "x"}),
            ("Edit", {"file_path": "late", "old_string": "SECRET", "new_string": "x"}),
            ("Grep", {"pattern": "SECRET", "path": "..", "output_mode": "content"}),
            ("Grep", {"pattern": "SECRET-OUT", "output_mode": "content"}),
            ("Glob", {"pattern": "../*"}),
        )
        assert "SECRET-OUTSIDE" not in json.dumps(told)
        assert GOOD_KEY not in json.dumps(told)
        assert told[2].count("refused") == len(secret.split("+"))
        assert "not written" in told[2]
        assert outside.read_text() == "SECRET-OUTSIDE\n"


async def test_a_link_in_place_of_a_directory_that_a_rule_names_opens_nothing(repo: Path, tmp_path: Path) -> None:
    (repo / "src" / "made").mkdir(parents=True)
    (repo / "swap.py").write_text(
        "import os\n"
        "os.rename('src', 'old')\n"
        "os.mkdir('src')\n"
        f"for name in ('read', 'made'): os.symlink({str(tmp_path)!r}, f'src/{{name}}')\n"
    )
    (repo / "use.py").write_text(
        "for name in ('read', 'made'):\n"
        "    try: print(open(f'src/{name}/outside.txt').read())\n"
        "    except OSError: print('refused')\n"
        "    try: open(f'src/{name}/outside.txt', 'w')\n"
        "    except OSError: print('refused')\n"
    )
    rules = f'"Bash(python3 *)", "Read(/{repo}/src/read/**)", "Edit(/{repo}/src/made/**)"'
    text = WORKS.replace('"Bash(python3 *)"', rules)
    async with running(works([]), config=config(repo, text), env=SYSTEM) as gateway:
        await tried(gateway, bash("python3 swap.py"))
        assert (repo / "src" / "made").is_symlink()
        (told,) = await tried(gateway, bash("python3 use.py"))
        assert told.split() == ["refused"] * 4
        assert (tmp_path / "outside.txt").read_text() == "SECRET-OUTSIDE\n"


async def test_what_runs_outside_of_the_sandbox_later_is_not_changed(repo: Path) -> None:
    for place in (".git/hooks", ".vscode", "src"):
        (repo / place).mkdir(parents=True)
    (repo / ".git" / "config").write_text("as it was")
    (repo / "plant.py").write_text(
        "import os\n"
        "for path in ('.git/hooks/post-commit', '.git/config', '.vscode/tasks.json', '.git/index', 'src/a.py'):\n"
        "    try: open(path, 'w').write('x'); print('WROTE', path)\n"
        "    except OSError: pass\n"
        "for old, new in (('.git', 'old'), ('.vscode', 'old')):\n"
        "    try: os.rename(old, new); print('MOVED', old)\n"
        "    except OSError: pass\n"
        "try: os.chmod('src/a.py', 0o4755); print('SETUID')\n"
        "except OSError: pass\n"
    )
    async with running(works([]), config=config(repo, WORKS), env=SYSTEM) as gateway:
        (told,) = await tried(gateway, bash("python3 plant.py"))
        assert told.split("\n") == ["WROTE .git/index", "WROTE src/a.py"]
        assert (repo / ".git" / "config").read_text() == "as it was"
        assert list((repo / ".git" / "hooks").iterdir()) == []


async def test_no_upstream_key_and_no_control_socket_is_in_reach(repo: Path) -> None:
    async with running(works([]), config=config(repo, WORKS), env=SYSTEM) as gateway:
        (repo / "look.py").write_text(
            "import os, socket, json, urllib.request\n"
            "print('ENV', json.dumps(dict(os.environ)))\n"
            f"for family, place in ((socket.AF_UNIX, {str(gateway.daemon.socket)!r}), "
            f"(socket.AF_INET, ('127.0.0.1', {gateway.port}))):\n"
            "    try: socket.socket(family).connect(place); print('CONNECTED')\n"
            "    except OSError as error: print('refused')\n"
            "def ask(model, path, **more):\n"
            "    body = {'model': model, 'max_tokens': 5, 'messages': [{'role': 'user', 'content': 'x'}], **more}\n"
            "    head = {'content-type': 'application/json', 'anthropic-version': '2023-06-01'}\n"
            "    head['x-api-key'] = os.environ['ANTHROPIC_AUTH_TOKEN']\n"
            "    base = os.environ['ANTHROPIC_BASE_URL']\n"
            "    asked = urllib.request.Request(base + path, json.dumps(body).encode(), head)\n"
            "    try: return json.loads(urllib.request.urlopen(asked, timeout=20).read())['model']\n"
            "    except urllib.error.HTTPError as error: return error.code\n"
            "print('OWN', ask('opus', '/v1/messages'))\n"
            "print('AGAIN', ask('sonnet@repo', '/v1/messages'))\n"
            "print('CHAT', ask('sonnet@repo', '/v1/chat/completions'))\n"
            "servers = [{'type': 'url', 'url': 'https://elsewhere.example', 'name': 'x'}]\n"
            "print('REACH', ask('sonnet', '/v1/messages', mcp_servers=servers))\n"
        )
        (told,) = await tried(gateway, bash("python3 look.py"))
        assert GOOD_KEY not in told
        assert "CONNECTED" not in told
        assert told.count("refused") == 2
        # It answers by the model of the workspace, whatever is asked for: no other one, and no workspace in it.
        models = {request.model for request in gateway.upstream()}
        assert len(models) == 1
        assert f"OWN {min(models)}" in told
        assert f"AGAIN {min(models)}" in told
        assert "CHAT 404" in told
        assert "REACH 403" in told
        token = next(word for word in told.replace('"', " ").replace("\\", " ").split() if word.startswith("cgw-"))
        for base in ("/v1/chat/completions", "/v1/messages"):
            body = {"model": "sonnet", "max_tokens": 5, "messages": [{"role": "user", "content": "x"}]}
            refused = await gateway.post(body, base, headers={"authorization": f"Bearer {token}"})
            assert refused.status_code == 401, "it ends with its answer, and is none of the public face's at all"


async def test_servers_that_were_not_named_are_not_started(repo: Path) -> None:
    (repo / ".mcp.json").write_text(json.dumps({"mcpServers": {"x": {"command": "touch", "args": ["STARTED"]}}}))
    async with running(works([]), config=config(repo, WORKS), env=SYSTEM) as gateway:
        await tried(gateway, ("mcp__x__y", {}))
        assert not (repo / "STARTED").exists()


async def test_who_writes_in_the_cli_s_name_fills_no_memory(repo: Path) -> None:
    """Code that runs beside the CLI can write into its output: without an end, and in any form."""
    (repo / "forge.py").write_text(
        "import glob, json, os, sys\n"
        "said = {'type': 'content_block_delta', 'index': 0, 'delta': {'type': 'text_delta', 'text': 'x' * 200_000}}\n"
        "line = json.dumps({'type': 'stream_event', 'event': said}, separators=(',', ':')) + '\\n'\n"
        "pid = next(p for p in map(int, filter(str.isdigit, os.listdir('/proc'))) if p > 1\n"
        "           and b'stream-json' in open(f'/proc/{p}/cmdline', 'rb').read())\n"
        "out = open(f'/proc/{pid}/fd/1', 'w')\n"
        "while True: out.write(line)\n"
    )
    script = works([bash("python3 forge.py")])
    async with running(script, config=config(repo, WORKS + "seconds = 60"), env=SYSTEM) as gateway:
        before = gateway.daemon.memory()
        refused = await gateway.refused("Go.", model="sonnet@repo")
        assert "the conversation is larger than 128 MB" in str(refused)
        assert gateway.daemon.memory() - before < 1024 * 1024 * 1024
        gateway.endpoint.script = works([])
        assert (await gateway.ask("Go.", model="sonnet@repo")).text == "All done."


ENDLESS = "import os, time\nif os.fork() == 0: os.setsid()\nopen('begun', 'w')\nwhile True: time.sleep(1)\n"


async def test_an_endless_command_ends_at_the_bound_with_all_children(repo: Path) -> None:
    (repo / "endless1.py").write_text(ENDLESS)
    async with running(
        works([bash("python3 endless1.py")]), config=config(repo, WORKS + "seconds = 6"), env=SYSTEM
    ) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        assert answer.reason == "length"
        assert answer.headers["x-claudegw-stopped"] == "seconds"
        assert "time limit of 6 s is reached" in answer.message.reasoning_content
        await until_gone(gateway, "endless1.py")


async def test_a_client_that_leaves_stops_the_command(repo: Path) -> None:
    (repo / "endless2.py").write_text(ENDLESS)
    async with running(works([bash("python3 endless2.py")]), config=config(repo, WORKS), env=SYSTEM) as gateway:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: gateway.stream("Go.", model="sonnet@repo"))
            await gateway.until(lambda: trio.to_thread.run_sync((repo / "begun").exists))
            assert processes("endless2.py")
            nursery.cancel_scope.cancel()
        await until_gone(gateway, "endless2.py")


async def test_a_crowd_of_processes_and_a_flood_of_output_end(repo: Path) -> None:
    # Not one that doubles: should the bound not hold, the machine lives on.
    (repo / "crowd.py").write_text(
        "import os, time\nfor n in range(900):\n    if os.fork() == 0:\n        time.sleep(600)\ntime.sleep(600)\n"
    )
    (repo / "flood.py").write_text("import sys\nfor n in range(1100):\n    sys.stdout.write('x' * 1024 * 1024)\n")
    script = works([bash("python3 flood.py")])
    async with running(script, config=config(repo, WORKS + "seconds = 60"), env=SYSTEM) as gateway:
        answer = await gateway.ask("Go.", model="sonnet@repo")
        assert answer.text is not None
        assert gateway.daemon.memory() < 600 * 1024 * 1024
        gateway.endpoint.script = works([bash("python3 crowd.py")])
        error = await gateway.post({"model": "sonnet@repo", "messages": [{"role": "user", "content": "x"}]})
        assert error.status_code in (200, 500)
        await until_gone(gateway, "crowd.py")
        gateway.endpoint.script = works([])
        assert (await gateway.ask("Go.", model="sonnet@repo")).text == "All done."
