from pathlib import Path

import pytest

from claudegwctl.problems import Problem
from claudegwctl.service.steps import Link, MakeDirectory, PutFile, Remove, Run, Step


def test_a_file_is_put_once_with_its_mode(tmp_path: Path) -> None:
    step = PutFile(tmp_path / "new" / "claudegwd.service", b"# claudegwd\n", 0o640)
    assert not step.is_done()
    step.do()
    assert step.is_done()
    assert step.path.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in step.path.parent.iterdir()] == ["claudegwd.service"]
    step.do()
    assert step.is_done()


def test_our_own_older_file_is_replaced_and_another_is_not(tmp_path: Path) -> None:
    path = tmp_path / "claudegwd.service"
    path.write_text("# claudegwd of before\n")
    PutFile(path, b"# claudegwd\n").do()
    assert path.read_text() == "# claudegwd\n"
    path.write_text("# mine\n")
    with pytest.raises(Problem, match=r"^cannot write .*did not write"):
        PutFile(path, b"# claudegwd\n").do()
    assert path.read_text() == "# mine\n"


def test_only_what_is_ours_is_removed(tmp_path: Path) -> None:
    ours, other = tmp_path / "some" / "ours", tmp_path / "other"
    PutFile(ours, b"# by claudegwctl install\n").do()
    other.write_text("# mine\n")
    assert not Remove(ours).is_done()
    assert Remove(other).is_done()
    Remove(ours).do()
    assert Remove(ours).is_done()
    assert not ours.parent.exists()
    assert other.exists()


def test_a_link_is_made_moved_and_removed(tmp_path: Path) -> None:
    link = tmp_path / "bin" / "claudegwd"
    for target in (tmp_path / "old" / "claudegwd", tmp_path / "new" / "claudegwd"):
        Link(link, target).do()
        assert Link(link, target).is_done()
    assert not Remove(link).is_done()
    Remove(link).do()
    assert not link.is_symlink()


def test_a_program_that_is_no_link_is_left_alone(tmp_path: Path) -> None:
    program = tmp_path / "claudegwd"
    program.write_text("#!/bin/sh\n")
    with pytest.raises(Problem, match=r"^cannot link .*move away"):
        Link(program, tmp_path / "claudegwd-2").do()
    assert program.read_text() == "#!/bin/sh\n"


def test_a_directory_is_made(tmp_path: Path) -> None:
    step = MakeDirectory(tmp_path / "a" / "b", 0o700)
    step.do()
    assert step.is_done()
    assert step.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("step", [PutFile(Path("/proc/claudegwd"), b"x"), MakeDirectory(Path("/proc/claudegwd"))])
def test_what_cannot_be_written_is_a_problem(step: Step) -> None:
    with pytest.raises(Problem, match=r"^cannot (write|create) /proc/claudegwd"):
        step.do()


def test_a_program_that_fails_is_told_with_its_own_words_and_a_hint() -> None:
    step = Run("start it", ["sh", "-c", "echo no such thing >&2; exit 3"], lambda: False, "stop it", hint="look there")
    with pytest.raises(Problem, match=r"^cannot start it: .*no such thing; look there$"):
        step.do()


def test_a_program_that_is_not_there_is_a_problem() -> None:
    with pytest.raises(Problem, match=r"^cannot start it"):
        Run("start it", ["no-such-program-here"], lambda: False, "stop it").do()
