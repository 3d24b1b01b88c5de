"""Who may import whom, read from the import statements of every module.

A row holds for its modules: of this project they import only what it lists, and of the rest of the world nothing that
it forbids. The pure ones forbid it also to whatever they import in turn.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# What has a state of its own or waits: sources of time and chance, the event loop, processes, files, the network.
WORLD = frozenset(
    ("trio", "quart", "quart_trio", "hypercorn", "werkzeug", "os", "time", "random", "secrets", "uuid", "socket",
     "subprocess", "shutil", "tempfile", "fcntl", "io", "sqlite3", "threading", "asyncio", "logging", "sys")
)  # fmt: skip
WEB = frozenset(("quart", "quart_trio", "hypercorn", "werkzeug"))
FILES = frozenset(("subprocess", "os", "shutil", "tempfile", "fcntl", "io", "sqlite3"))

# The pure part of claudegwd/keys; the rest of it reads and writes files.
PURE_KEYS = (
    "addresses", "answers", "entry", "environment", "failure_words", "failures", "key", "lacking", "marks", "news",
    "parse", "ring", "rotation", "shell_text", "states", "windows",
)  # fmt: skip
RING = tuple(f"claudegwd.keys.{name}" for name in PURE_KEYS)
NOTICES = ("claudegwd.notify.notice", "claudegwd.notify.repeats")
# What Claude may do in a workspace; the rest of claudegwd/workspaces runs it.
POLICY = tuple(
    f"claudegwd.workspaces.{name}"
    for name in ("actions", "command", "globs", "hosts", "policy", "rules", "starters", "tallies")
)
# And what a CLI says that works there.
DIALOGUE = tuple(f"claudegwd.workspaces.{name}" for name in ("plan", "transcript", "turn"))
# What every layer above the pure ones may use.
BASE = (
    "claudegwd.atomic",
    "claudegwd.transitions",
    "claudegwd.config",
    "claudegwd.contract",
    "claudegwd.logs",
    "claudegwd.redact",
    "claudegwd.supervised",
)
PURE = (
    "claudegwd.openai_api", "claudegwd.messages_api", "claudegwd.claude_cli", "claudegwd.translate", "claudegwd.limits",
    "claudegwd.ledger",
    *RING,
    *POLICY,
    *DIALOGUE,
)  # fmt: skip
SHELL = (
    "claudegwd.workers", "claudegwd.store", "claudegwd.shared", "claudegwd.keys", "claudegwd.fetching",
    "claudegwd.notify",
    "claudegwd.workspaces",
)  # fmt: skip
# The state that both faces show: above the shell, below them.
HEART = ("claudegwd.gateway",)
LIBRARIES = ("claudegwd.servers.overriding", "claudegwd.servers.hypercorn_connection")


@dataclass(frozen=True)
class Row:
    """Modules (a package stands for all in it), what of this project they may import, and what of the world not."""

    name: str
    modules: tuple[str, ...]
    allowed: tuple[str, ...]
    forbidden: frozenset[str] = frozenset()
    pure: bool = False


ROWS = (
    Row("the outer protocol", ("claudegwd.openai_api",), (), WORLD, pure=True),
    Row("the other outer protocol", ("claudegwd.messages_api",), ("claudegwd.openai_api",), WORLD, pure=True),
    Row("the inner protocol", ("claudegwd.claude_cli",), (), WORLD, pure=True),
    Row("state machines", ("claudegwd.transitions",), (), WORLD, pure=True),
    Row("keys and rotation", RING, ("claudegwd.openai_api", "claudegwd.transitions"), WORLD, pure=True),
    Row("the policy of workspaces", POLICY, (), WORLD, pure=True),
    Row(
        "the dialogue in workspaces",
        DIALOGUE,
        (
            "claudegwd.openai_api", "claudegwd.messages_api", "claudegwd.claude_cli", "claudegwd.translate",
            "claudegwd.limits", "claudegwd.config.schema", "claudegwd.transitions", *RING, *POLICY,
        ),
        WORLD,
        pure=True,
    ),
    Row("the ledger's sums", ("claudegwd.ledger",), (), WORLD, pure=True),
    Row("rate limits", ("claudegwd.limits",), ("claudegwd.openai_api",), WORLD, pure=True),
    Row(
        "the translation",
        ("claudegwd.translate",),
        ("claudegwd.openai_api", "claudegwd.messages_api", "claudegwd.claude_cli", "claudegwd.transitions", *RING),
        WORLD,
        pure=True,
    ),
    Row(
        "the contract",
        ("claudegwd.contract", "claudegwd.redact", "claudegwd.atomic"),
        (),
        frozenset(("trio", *WEB)),
        pure=True,
    ),
    Row(
        "configuration",
        ("claudegwd.config",),
        ("claudegwd.contract", "claudegwd.redact", "claudegwd.workspaces.rules"),
        frozenset(("trio", *WEB)),
    ),
    Row("logs", ("claudegwd.logs",), ("claudegwd.config", "claudegwd.redact"), WEB),
    Row("background tasks", ("claudegwd.supervised",), ("claudegwd.logs",), WEB),
    Row("workers", ("claudegwd.workers",), (*PURE, *BASE, "claudegwd.demo"), WEB),
    Row("the store", ("claudegwd.store",), (*PURE, *BASE, *NOTICES), WEB),
    Row("workspaces", ("claudegwd.workspaces",), (*PURE, *BASE, "claudegwd.workers"), WEB),
    Row("what machines share", ("claudegwd.shared",), (*PURE, *BASE, *NOTICES, "claudegwd.store"), WEB),
    Row("keys in files", ("claudegwd.keys",), (*RING, *BASE), WEB),
    Row("fetching", ("claudegwd.fetching",), ("claudegwd.openai_api",), WEB),
    Row("what people are told of", NOTICES, (*RING, "claudegwd.limits", "claudegwd.openai_api"), WORLD, pure=True),
    Row(
        "telling them",
        ("claudegwd.notify",),
        (
            *NOTICES, *BASE, "claudegwd.store", "claudegwd.fetching.exchange", "claudegwd.workers.process.group",
            "claudegwd.workers.process.lifeline",
        ),
        WEB,
    ),
    Row("the demo's endpoint", ("claudegwd.demo",), (), WEB),
    Row("the gateway", HEART, (*HEART, *SHELL, *PURE, *BASE), WEB),
    Row("what the servers build on", LIBRARIES, LIBRARIES, FILES),
    Row("the public face", ("claudegwd.public",), (*HEART, *SHELL, *PURE, *BASE, *LIBRARIES), FILES),
    Row("the control face", ("claudegwd.control",), (*HEART, *SHELL, *PURE, *BASE, *LIBRARIES), FILES),
    Row(
        "the daemon",
        (
            "claudegwd.__main__",
            "claudegwd.main",
            "claudegwd.daemon",
            "claudegwd.servers",
            "claudegwd.sockets",
        ),
        ("claudegwd",),
    ),
    Row(
        "the control CLI",
        ("claudegwctl",),
        ("claudegwd.contract", "claudegwd.atomic"),
        frozenset(("trio", *WEB)),
        pure=True,
    ),
)  # fmt: skip


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


@cache
def modules() -> dict[str, Path]:
    """Every module of the project by name; a package's is that of its __init__."""
    paths = [path for top in ("claudegwd", "claudegwctl") for path in (ROOT / top).rglob("*.py")]
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name.removesuffix(".__init__"): path for name, path in named.items()}


@cache
def imports(module: str) -> frozenset[str]:
    """All that a module imports, at its head or anywhere else: modules of the project by name, others by their top."""
    tree = ast.parse(modules()[module].read_text("utf-8"))
    return frozenset(found for node in ast.walk(tree) for found in _imported(node))


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are absolute"
        # `from package import module` names the module; `from module import thing` does not.
        inner = [f"{node.module}.{alias.name}" for alias in node.names]
        names = [name if name in modules() else str(node.module) for name in inner]
    else:
        return
    for name in names:
        yield name if name.split(".")[0] in ("claudegwd", "claudegwctl") else name.split(".")[0]


@cache
def everything_below(module: str) -> frozenset[str]:
    """What it imports, and what that imports in turn."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for name in imports(waiting.pop()) - found:
            found.add(name)
            if name in modules():
                waiting.append(name)
    return frozenset(found)


def row_of(module: str) -> Row:
    """The row with the longest name for it: claudegwd.keys.ring before claudegwd.keys."""
    found = [(len(one), row) for row in ROWS for one in row.modules if _is_in(module, one)]
    assert found, f"{module} is in no row of the table: say which layer it belongs to"
    return max(found, key=lambda pair: pair[0])[1]


@pytest.mark.parametrize("module", sorted(name for name, path in modules().items() if path.stat().st_size))
def test_every_module_keeps_to_its_layer(module: str) -> None:
    row = row_of(module)
    ours = {name for name in imports(module) if name in modules() or name.split(".")[0].startswith("claudegw")}
    allowed = (*row.allowed, *row.modules)
    assert not {name for name in ours if not any(_is_in(name, one) for one in allowed)}, row.name
    known = everything_below(module) if row.pure else imports(module)
    assert not known & row.forbidden, row.name


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_speaks_of_modules_that_exist(row: Row) -> None:
    for name in (*row.modules, *row.allowed):
        assert any(_is_in(module, name) for module in modules()), name


def test_the_daemon_does_not_know_the_control_cli() -> None:
    for module in modules():
        if module.startswith("claudegwd"):
            assert not any(_is_in(name, "claudegwctl") for name in imports(module)), module


def test_the_two_faces_do_not_know_each_other() -> None:
    for module in modules():
        for one, other in (("public", "control"), ("control", "public")):
            if _is_in(module, f"claudegwd.{one}"):
                assert not any(_is_in(name, f"claudegwd.{other}") for name in imports(module)), module


def test_handlers_touch_no_files() -> None:
    touching = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "touch", "rename"}
    for module, path in modules().items():
        if not (_is_in(module, "claudegwd.public") or _is_in(module, "claudegwd.control")):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                assert name not in touching, f"{module}:{node.lineno} calls {name}"


def test_only_the_daemons_own_modules_are_below_the_control_cli() -> None:
    # What it imports in turn decides how fast it starts.
    below = {name for module in modules() if _is_in(module, "claudegwctl") for name in everything_below(module)}
    assert {name for name in below if _is_in(name, "claudegwd")} <= {
        "claudegwd",
        "claudegwd.contract",
        "claudegwd.atomic",
    }
