import json
from pathlib import Path

from tests.claudegwctl.commands.test_install import run


def test_where_nothing_is_installed_nothing_is_to_do(tmp_path: Path) -> None:
    done = run("uninstall", "--user", "--dry-run", "--json", home=tmp_path)
    assert done.returncode == (1 if done.stderr else 0), "it tells whether it could be done here"
    said = run("uninstall", "--user", "--dry-run", home=tmp_path).stdout
    assert said == "nothing to do: there is no service that `claudegwctl install` set up\n"
    assert {step["outcome"] for step in json.loads(done.stdout)["steps"]} == {"in place"}


def test_what_is_ours_would_go_and_stays_in_a_dry_run(tmp_path: Path) -> None:
    unit = tmp_path / ".config/systemd/user/claudegwd.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("# Written by `claudegwctl install`\n")
    done = run("uninstall", "--user", "--dry-run", home=tmp_path)
    assert f"would     remove {unit}" in done.stdout.splitlines()
    assert "in place" not in done.stdout
    assert unit.exists()
