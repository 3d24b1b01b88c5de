"""Where keys come from, and changing keys.json without losing anything."""

import errno
import json
import os
import threading
from pathlib import Path

import pytest

from claudegwd.keys.file import (
    KeysError,
    KeysReadOnly,
    add_key,
    edit_keys,
    import_keys,
    load_keys,
    remove_key,
    rename_key,
    set_key_status,
)
from claudegwd.keys.key import KeyKind, KeyStatus, UpstreamKey
from claudegwd.keys.parse import KeysDocument

A = {"name": "a", "token": "sk-false-1"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "keys.json"


def write(path: Path, value: object, mode: int = 0o600) -> Path:
    path.write_text(json.dumps(value))
    path.chmod(mode)
    return path


def names(path: Path) -> list[str]:
    return [entry["name"] for entry in json.loads(path.read_text())["claude_api_keys"]]


# -- sources


def test_no_keys_anywhere(file: Path) -> None:
    source = load_keys(file, {})
    assert (source.keys, source.writable, source.path) == ((), True, file)


def test_the_file(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    source = load_keys(file, {})
    assert (source.keys, source.origin, source.writable) == ((UpstreamKey("a", "sk-false-1"),), str(file), True)
    assert source.notes == ()


def test_an_empty_file_is_no_keys(file: Path) -> None:
    file.touch(0o600)
    assert load_keys(file, {}).keys == ()


def test_a_file_that_the_operator_named_has_to_be_there(file: Path) -> None:
    with pytest.raises(KeysError, match=r"cannot find the keys file .*install -m 600"):
        load_keys(file, {}, required=True)


def test_systemds_credentials_win_and_may_be_0440(file: Path, tmp_path: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    (tmp_path / "credentials").mkdir()
    given = write(tmp_path / "credentials/keys.json", [{"name": "given", "token": "sk-false-2"}], 0o440)
    source = load_keys(file, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})
    assert ([key.name for key in source.keys], source.writable, source.path) == (["given"], False, None)
    with pytest.raises(KeysReadOnly, match=r"then restart claudegwd$"):  # systemd copies them at the start
        source.to_edit()
    given.chmod(0o444)
    with pytest.raises(KeysError, match="chmod 600"):
        load_keys(file, {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")})


def test_credentials_without_keys_leave_it_to_the_file(file: Path, tmp_path: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    assert load_keys(file, {"CREDENTIALS_DIRECTORY": str(tmp_path / "none")}).origin == str(file)


def test_the_older_gateways_variable(file: Path) -> None:
    source = load_keys(file, {"CLAUDE_API_KEYS": json.dumps([A])})
    assert ([key.name for key in source.keys], source.origin, source.writable) == (["a"], "CLAUDE_API_KEYS", False)
    with pytest.raises(KeysReadOnly, match=r"then restart claudegwd$"):
        source.to_edit()
    assert load_keys(file, {"CLAUDE_API_KEYS": json.dumps({"claude_api_keys": [A]})}).keys == source.keys
    with pytest.raises(KeysError, match="cannot read CLAUDE_API_KEYS: line 1, column 2"):
        load_keys(file, {"CLAUDE_API_KEYS": "[sk-false"})


def test_the_file_wins_over_the_variable_and_says_so(file: Path) -> None:
    write(file, {"claude_api_keys": []})
    source = load_keys(file, {"CLAUDE_API_KEYS": json.dumps([A])})
    assert source.keys == ()
    assert "CLAUDE_API_KEYS is set but ignored" in source.notes[0]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o700, 0o620])
def test_a_mode_wider_than_0600_is_refused_with_the_fix(file: Path, mode: int) -> None:
    write(file, {"claude_api_keys": [A]}, mode)
    with pytest.raises(KeysError) as caught:
        load_keys(file, {})
    assert f"its mode is {mode:04o}; only its owner may read it" in caught.value.message
    assert f"run `chmod 600 {file}`" in caught.value.message
    with pytest.raises(KeysError, match="chmod 600"):
        remove_key(file, "a")


def test_the_suggested_commands_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    file = tmp_path / "Application Support" / "keys.json"  # as on macOS
    file.parent.mkdir()
    with pytest.raises(KeysError, match=rf"`install -m 600 /dev/null '{file}'`"):
        load_keys(file, {}, required=True)
    with pytest.raises(KeysError, match=rf"`chmod 600 '{file}'`"):
        load_keys(write(file, [A], 0o644), {})


@pytest.mark.parametrize("mode", [0o400, 0o600])
def test_narrow_modes_are_fine(file: Path, mode: int) -> None:
    assert len(load_keys(write(file, [A], mode), {}).keys) == 1


def test_a_directory_a_fifo_and_a_loop_are_refused_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("fifo", "loop", "."):
        with pytest.raises(KeysError, match="cannot read"):
            load_keys(tmp_path / name, {})


def test_a_huge_file_is_refused(file: Path) -> None:
    file.write_bytes(b" " * ((1 << 20) + 1))
    file.chmod(0o600)
    with pytest.raises(KeysError, match="larger than"):
        load_keys(file, {})


# -- changes


def test_add_to_nothing_makes_the_file_private(tmp_path: Path) -> None:
    file = tmp_path / "conf" / "keys.json"
    edit = add_key(file, UpstreamKey("a", "sk-false-1", "https://relay.example", KeyKind.API_KEY))
    assert load_keys(file, {}) == edit.source
    assert edit.added == ("a",)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_add_remove_enable_disable(file: Path) -> None:
    add_key(file, UpstreamKey("a", "sk-false-1"))
    add_key(file, UpstreamKey("b", "sk-false-2"))
    with pytest.raises(KeysError, match="cannot add key 'b': that name is taken"):
        add_key(file, UpstreamKey("b", "sk-false-3"))
    assert [key.status for key in set_key_status(file, "a", KeyStatus.DISABLED).source.keys] == [
        KeyStatus.DISABLED,
        KeyStatus.ACTIVE,
    ]
    assert {key.status for key in set_key_status(file, "a", KeyStatus.ACTIVE).source.keys} == {KeyStatus.ACTIVE}
    assert [key.name for key in remove_key(file, "a").source.keys] == ["b"]
    for change in (remove_key, lambda path, name: set_key_status(path, name, KeyStatus.DISABLED)):
        with pytest.raises(KeysError, match="cannot find key 'gone'"):
            change(file, "gone")


def test_renaming_keeps_place_and_other_fields(file: Path) -> None:
    write(file, {"claude_api_keys": [A | {"note": "mine"}, A | {"name": "b"}]})
    before = json.loads(file.read_text())["claude_api_keys"]
    rename_key(file, "a", "another name")
    rename_key(file, "another name", "another name")
    after = json.loads(file.read_text())["claude_api_keys"]
    assert after == [{**before[0], "name": "another name"}, *before[1:]]
    with pytest.raises(KeysError, match=r"the name 'another name' is taken; remove that key"):
        rename_key(file, "b", "another name")
    with pytest.raises(KeysError, match=r"cannot find key 'gone'"):
        rename_key(file, "gone", "x")
    assert json.loads(file.read_text())["claude_api_keys"] == after


def test_replacing_a_key_keeps_its_place_and_other_fields(file: Path) -> None:
    write(file, {"claude_api_keys": [A | {"note": "mine", "base_url": "https://old.example"}, A | {"name": "b"}]})
    add_key(file, UpstreamKey("a", "sk-false-9"), replace=True)
    entries = json.loads(file.read_text())["claude_api_keys"]
    assert entries == [{"name": "a", "note": "mine", "token": "sk-false-9"}, A | {"name": "b"}]


def test_import_adds_what_is_new(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    keys = [UpstreamKey("a", "sk-false-7"), UpstreamKey("b", "sk-false-2")]
    assert import_keys(file, keys).added == ("b",)
    assert [key.token for key in load_keys(file, {}).keys] == ["sk-false-1", "sk-false-2"]
    assert import_keys(file, keys).added == ()


def test_a_bare_list_stays_a_list(file: Path) -> None:
    write(file, [A])
    add_key(file, UpstreamKey("b", "sk-false-2"))
    assert [entry["name"] for entry in json.loads(file.read_text())] == ["a", "b"]


def test_mode_foreign_fields_and_symlink_survive(tmp_path: Path) -> None:
    real = write(tmp_path / "real.json", {"x": {"y": 1}, "claude_api_keys": [A | {"z": 2}], "w": 3}, 0o400)
    link = tmp_path / "keys.json"
    link.symlink_to("real.json")
    add_key(link, UpstreamKey("b", "sk-false-2"))
    assert link.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o400
    after = json.loads(real.read_text())
    assert list(after) == ["x", "claude_api_keys", "w"]
    assert after["claude_api_keys"][0] == A | {"z": 2}


def test_the_owner_survives(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    owner = (65534, 65533) if os.geteuid() == 0 else (os.geteuid(), os.getegid())  # only root can give files away
    os.chown(file, *owner)
    remove_key(file, "a")
    assert (file.stat().st_uid, file.stat().st_gid) == owner


def test_an_edit_that_makes_the_file_wrong_leaves_it(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    before = file.read_bytes()

    def twice(document: KeysDocument) -> bool:
        document.entries.append(dict(A))
        return True

    with pytest.raises(KeysError, match="twice"):
        edit_keys(file, twice)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == [".keys.json.lock", "keys.json"]


def test_a_wrong_entry_can_be_removed(file: Path) -> None:
    write(file, {"claude_api_keys": [A, {"name": "b", "token": ""}]})
    assert [key.name for key in remove_key(file, "b").source.keys] == ["a"]


def test_nothing_to_change_does_not_touch_the_file(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})
    before = (file.stat().st_ino, file.read_bytes())
    set_key_status(file, "a", KeyStatus.ACTIVE)
    assert (file.stat().st_ino, file.read_bytes()) == before


def test_many_writers_at_once_lose_nothing(file: Path) -> None:
    write(file, {"claude_api_keys": []})
    wanted = {f"k{n}" for n in range(16)}
    threads = [threading.Thread(target=add_key, args=(file, UpstreamKey(n, f"sk-false-{n}"))) for n in wanted]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(names(file)) == wanted


def test_an_editor_that_saves_meanwhile_loses_nothing(file: Path) -> None:
    write(file, {"claude_api_keys": []})
    calls = []

    def change(document: KeysDocument) -> bool:
        calls.append(1)
        if len(calls) == 1:
            write(file, {"claude_api_keys": [{"name": "editor", "token": "sk-false-2"}]})
        document.entries.append(dict(A))
        return True

    edit_keys(file, change)
    assert names(file) == ["editor", "a"]


def test_somebody_who_never_stops_writing_is_named(file: Path) -> None:
    write(file, {"claude_api_keys": []})
    count = iter(range(1000))

    def change(document: KeysDocument) -> bool:
        write(file, {"claude_api_keys": [], "n": next(count)})
        document.entries.append(dict(A))
        return True

    with pytest.raises(KeysError, match="another program keeps changing it"):
        edit_keys(file, change)


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KeysError, match=r"cannot write .*; check its owner and mode"):
        add_key(tmp_path / "file" / "keys.json", UpstreamKey("a", "sk-false-1"))


def test_a_full_disk_is_no_matter_of_owner_and_mode(file: Path) -> None:
    write(file, {"claude_api_keys": [A]})

    def full(_: KeysDocument) -> bool:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(KeysError, match="No space left on device; free some disk space"):
        edit_keys(file, full)
