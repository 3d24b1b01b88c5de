"""Every module with code has its test in the mirrored place: claudegwd/x/y.py -> tests/claudegwd/x/test_y.py.

Exceptions are few, and each says where its code is tested instead.
"""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent

# Modules or whole packages, and the tests that fail when their code is broken.
ELSEWHERE: dict[str, tuple[str, ...]] = {
    # Thin handlers over the gateway: what they do shows in answers to real clients.
    "claudegwd/public": (
        "e2e/test_chat.py",
        "e2e/test_streaming.py",
        "e2e/test_completions.py",
        "e2e/test_older_gateway.py",
        "e2e/test_routes.py",
        "e2e/test_bad_input.py",
    ),
    # What puts the parts together: right when a daemon started from them answers, reloads and stops.
    "claudegwd/main.py": ("e2e/test_command_line.py", "e2e/test_connections.py"),
    "claudegwd/daemon/daemon.py": ("e2e/test_chat.py", "e2e/test_connections.py"),
    "claudegwd/daemon/own_files.py": ("e2e/test_own_files.py",),
    "claudegwd/gateway/gateway.py": ("e2e/test_chat.py", "e2e/test_rotation.py"),
    "claudegwd/servers/hypercorn_connection.py": (
        "claudegwd/servers/test_serving.py",
        "claudegwd/control/test_server.py",
    ),
    "claudegwd/daemon/demo_greeting.py": ("e2e/test_demo.py",),
    "claudegwd/gateway/planning.py": ("e2e/test_fallback.py", "e2e/test_web_search.py"),
    "claudegwd/gateway/key_trial.py": ("e2e/test_rotation.py",),
    "claudegwd/gateway/shells.py": ("e2e/test_rotation.py",),
    "claudegwd/gateway/gauges.py": ("e2e/test_metrics.py",),
    # Each is about what a real CLI process does next.
    "claudegwd/workers/cli/abilities.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_routes.py"),
    "claudegwd/workers/question/attempts.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_rotation.py"),
    "claudegwd/workers/question/questions.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_rotation.py"),
    "claudegwd/gateway/launcher.py": ("e2e/test_login.py", "e2e/test_carriers.py"),
    "claudegwd/gateway/request_counts.py": ("e2e/test_metrics.py",),
    "claudegwd/gateway/responses.py": ("e2e/test_responses.py", "e2e/test_background.py"),
    "claudegwd/gateway/status.py": ("e2e/test_rotation.py", "e2e/test_login.py"),
    "claudegwd/workers/question/question.py": ("e2e/test_rotation.py", "e2e/test_one_request.py"),
    "claudegwd/workers/carriers/carry.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_carriers.py"),
    "claudegwd/workers/cli/catalogue_probe.py": ("e2e/test_routes.py",),
    "claudegwd/workers/pool/conversations.py": ("e2e/test_tools.py", "e2e/test_chat.py"),
    "claudegwd/workers/pool/rest.py": ("claudegwd/workers/pool/test_pool.py",),
    "claudegwd/workers/pool/roster.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_metrics.py"),
    "claudegwd/workers/question/running_request.py": ("e2e/test_running_requests.py",),
    "claudegwd/workers/pool/sweep.py": ("claudegwd/workers/pool/test_pool.py", "e2e/test_streaming.py"),
    "claudegwd/workers/pool/waiters.py": ("claudegwd/workers/pool/test_pool.py",),
    "claudegwd/workers/pool/spares.py": ("claudegwd/workers/pool/test_pool.py",),
    "claudegwd/workers/worker/worker.py": ("e2e/test_tools.py", "e2e/test_one_request.py"),
    # Parts of one thing, tested through it.
    "claudegwd/keys/entry.py": ("claudegwd/keys/test_ring.py",),
    "claudegwd/keys/environment.py": ("claudegwd/keys/test_ring.py",),
    "claudegwd/keys/lacking.py": ("claudegwd/keys/test_ring.py",),
    "claudegwd/keys/rotation.py": ("claudegwd/keys/test_ring.py",),
    "claudegwd/openai_api/older_gateway/description.py": ("claudegwd/openai_api/description/test_document.py",),
    "claudegwd/store/usage_rows.py": ("claudegwd/store/test_ledger.py",),
    "claudegwd/control/everywhere.py": ("claudegwd/control/test_keys.py", "claudegwd/control/test_usage.py"),
    "claudegwd/store/client_rows.py": ("claudegwd/store/test_client_keys.py",),
    # Parts of the sandbox, which are tried from within it.
    "claudegwd/workspaces/kernel.py": ("claudegwd/workspaces/test_confine.py",),
    "claudegwd/workspaces/landlock.py": ("claudegwd/workspaces/test_confine.py",),
    "claudegwd/workspaces/namespaces.py": ("claudegwd/workspaces/test_confine.py",),
    "claudegwd/workspaces/seccomp.py": ("claudegwd/workspaces/test_confine.py",),
    "claudegwd/workspaces/question.py": ("e2e/test_workspaces.py",),
    "claudegwd/workspaces/session.py": ("e2e/test_workspaces.py", "e2e/test_workspace_tools.py"),
    "claudegwctl/commands/chat.py": ("e2e/test_chat_command.py",),
    "claudegwctl/commands/top.py": ("e2e/test_top.py",),
    "claudegwctl/watching/app.py": ("e2e/test_top.py",),
    "claudegwctl/commands/start.py": ("claudegwctl/service/test_running.py",),
    "claudegwctl/commands/stop.py": ("claudegwctl/service/test_running.py",),
    "claudegwctl/commands/restart.py": ("claudegwctl/service/test_running.py",),
    "claudegwctl/commands/cli.py": ("e2e/test_cli_life.py",),
    "claudegwctl/cli_life/trial.py": ("e2e/test_cli_life.py",),
    "claudegwctl/service/files.py": ("claudegwctl/service/test_plan.py",),
    "claudegwctl/service/host.py": ("claudegwctl/service/test_plan.py",),
    "claudegwctl/service/launchd.py": ("claudegwctl/service/test_plan.py",),
    "claudegwctl/service/systemd.py": ("claudegwctl/service/test_plan.py",),
}


def modules() -> list[Path]:
    """All modules that hold code, by their path from the root."""
    found = [path for top in ("claudegwd", "claudegwctl") for path in (ROOT / top).rglob("*.py")]
    return sorted(path.relative_to(ROOT) for path in found if _has_code(path))


def _has_code(path: Path) -> bool:
    # Types without a function are known by those that use them; a module's statements are run by every import.
    functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
    return any(isinstance(node, functions) for node in ast.walk(ast.parse(path.read_text("utf-8"))))


def mirrored(module: Path) -> Path:
    return TESTS / module.parent / f"test_{module.stem}.py"


def exception_for(module: Path) -> str | None:
    names = [module.as_posix(), *(parent.as_posix() for parent in module.parents)]
    return next((name for name in names if name in ELSEWHERE), None)


@pytest.mark.parametrize("module", modules(), ids=str)
def test_every_module_has_its_test(module: Path) -> None:
    if mirrored(module).exists():
        assert module.as_posix() not in ELSEWHERE, "it has a test of its own now: take the exception out"
        return
    assert exception_for(module), f"write {mirrored(module).relative_to(ROOT)}"


@pytest.mark.parametrize(("name", "tests"), ELSEWHERE.items())
def test_exceptions_speak_of_what_exists(name: str, tests: tuple[str, ...]) -> None:
    assert (ROOT / name).exists()
    assert tests
    for test in tests:
        assert (TESTS / test).exists(), test
