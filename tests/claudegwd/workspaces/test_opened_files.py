"""Files where commands may have written are taken for what they are, not for what they are called."""

import os
from pathlib import Path

import pytest

from claudegwd.workspaces.opened_files import open_regular, place_of


def test_a_file_and_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("words")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert (file.read(), place_of(file.fileno())) == (b"words", str(tmp_path.resolve() / "file"))


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, problem in (("pipe", "not a regular file"), ("missing", "No such file"), (".", "Is a directory")):
        with pytest.raises(OSError, match=problem):
            open_regular(tmp_path / name)
