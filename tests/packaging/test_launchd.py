import plistlib
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.plist_lint import faults

LAUNCHD = Path(__file__).parents[2] / "packaging" / "launchd"
GOOD: dict[str, Any] = {"Label": "some", "ProgramArguments": ["/bin/some"]}


@pytest.mark.parametrize("path", sorted(LAUNCHD.glob("*.plist")), ids=lambda path: path.name)
def test_ours_have_no_fault(path: Path) -> None:
    assert faults(path) == []


def test_there_is_one_for_a_user_and_one_for_the_machine() -> None:
    assert {path.name for path in LAUNCHD.iterdir()} == {"claudegwd.agent.plist", "claudegwd.daemon.plist"}


def test_both_start_again_only_after_a_failure() -> None:
    for path in LAUNCHD.glob("*.plist"):
        assert plistlib.loads(path.read_bytes())["KeepAlive"] == {"SuccessfulExit": False}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"KeepAlvie": True}, "KeepAlvie"),
        ({"RunAtLoad": 1}, "RunAtLoad"),
        ({"Umask": True}, "Umask"),
        ({"KeepAlive": {"SuccesfulExit": False}}, "KeepAlive.SuccesfulExit"),
        ({"SoftResourceLimits": {"NumberOfFiles": "many"}}, "NumberOfFiles"),
        ({"ProgramArguments": ["claudegwd"]}, "ProgramArguments"),
        ({"ProgramArguments": []}, "ProgramArguments"),
        ({"StandardErrorPath": "~/Library/Logs/some.log"}, "StandardErrorPath"),
        ({"EnvironmentVariables": {"HOME": "$HOME"}}, "HOME"),
        ({"EnvironmentVariables": {"ANTHROPIC_API_KEY": "sk-false-1"}}, "ANTHROPIC_API_KEY"),
        ({"EnvironmentVariables": {"RUNTIME_DIRECTORY": "/" + "long/" * 20}}, "RUNTIME_DIRECTORY"),
        ({"ProcessType": "Fast"}, "ProcessType"),
        ({"Label": "other"}, "Label"),
    ],
)
def test_a_fault_is_found(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    path = tmp_path / "some.plist"
    path.write_bytes(plistlib.dumps({**GOOD, **change}))
    assert [fault in found for found in faults(path)] == [True]


def test_a_good_one_passes(tmp_path: Path) -> None:
    path = tmp_path / "some.plist"
    path.write_bytes(plistlib.dumps(GOOD))
    assert faults(path) == []


def test_what_is_no_property_list_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "some.plist"
    path.write_text("[Service]\n")
    assert len(faults(path)) == 1
