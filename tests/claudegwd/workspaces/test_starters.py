from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claudegwd.workspaces.starters import EVALUATORS, INTERPRETERS, LAUNCHERS, RUNNERS, STARTERS, starts_others


@pytest.mark.parametrize(
    ("command", "starter"),
    [
        ("pytest -q", ""),
        ("env pytest", "env"),
        ("sudo ls", "sudo"),
        ("/bin/bash -c x", "bash"),
        ("BASH -c x", "bash"),
        ("xargs rm", "xargs"),
        ("timeout 5 rm x", "timeout"),
        ("m4 x", "m4"),
        ("find . -name x", ""),
        ("find . -exec rm x", "-exec"),
        ("find . -execdir rm x", "-execdir"),
        ("find . -delete", "-delete"),
        ("git log", ""),
        ("git log --oneline -n 5", ""),
        ("git add config", ""),
        ("git config core.pager x", "config"),
        ("git --no-pager config core.pager x", "config"),
        ("git bisect run x", "bisect"),
        ("git -c core.pager=x log", "-c"),
        ("git -ccore.pager=x log", "-ccore.pager=x"),
        ("git --exec-path=x log", "--exec-path=x"),
        ("git log --ext-diff", "--ext-diff"),
        ("git grep -nOx y", "-nOx"),
        ("git grep --open-files=x y", "--open-files=x"),
        ("git rebase -ix y", "-ix"),
        ("git clean -fdx", ""),
        ("git ls-remote --upload-p=x y", "--upload-p=x"),
        ("git ls-remote ext::x", "ext::x"),
        ("rg --pre x y", "--pre"),
        ("rg -n x", ""),
        ("tar --to-command=x -f y", "--to-command=x"),
        ("tar --to-c=x -f y", "--to-c=x"),
        ("tar -xIprog -f y", "-xIprog"),
        ("tar xIf prog y", "xIf"),
        ("tar -czf y src", ""),
        ("tar czf y src", ""),
        ("sort -uo f", "-uo"),
        ("sort --compress-prog=x f", "--compress-prog=x"),
        ("sort --out=f", "--out=f"),
        ("sort -u -- f", ""),
        ("curl -so f x", "-so"),
        ("curl -sSfL x", ""),
        ("rsync -ae x y", "-ae"),
        ("rsync -av x y", ""),
        ("make test", ""),
        ("make -j4 test", ""),
        ("make -sf x", "-sf"),
        ("make SHELL=x", "SHELL=x"),
        ("make CC=x", "CC=x"),
        ("go test ./...", ""),
        ("go test -exec=x", "-exec=x"),
        ("go build -toolexec x", "-toolexec"),
        ("gcc-12 -fplugin=x a.c", "-fplugin=x"),
        ("split --filter=x f", "--filter=x"),
        ("awk x", "awk"),
        ("gawk x", "gawk"),
        ("sed -n 1p f", "sed"),
        ("perl5.36 -e x", "perl"),
        ("python3.11 -c x", "python"),
        ("/usr/bin/python3 x.py", "python"),
        ("ruby -e x", "ruby"),
        ("node -e x", "node"),
        ("php -r x", "php"),
        ("lua5.4 x", "lua"),
        ("vi x", "vi"),
        ("vim.tiny x", "vim.tiny"),
        ("ed x", "ed"),
        ("gdb x", "gdb"),
        ("npm exec x", "exec"),
        ("npm test", ""),
        ("uv --offline run x", "run"),
        ("bundle exec x", "exec"),
        ("bundle install", ""),
        ("pdm run x", "run"),
        ("conda run x", "run"),
        ("hyperfine x", "hyperfine"),
        ("printf -v a[$(x)] y", "-v"),
        ("printf -va[$(x)] y", "-va[$(x)]"),
        ("printf -%s-value y", ""),
        ("test -v a[$(x)]", "-v"),
        ("[ -v a[$(x)] ]", "-v"),
        ("test -e x", ""),
        ("compgen -W $(x)", "compgen"),
        ("read a[$(x)]", "read"),
        ("sqlite3 a.db .shell", "sqlite3"),
        ("psql-15 -c x", "psql"),
        ("shuf -oy x", "-oy"),
        ("pylint --init-hook=x y", "--init-hook=x"),
    ],
)
def test_what_would_start_others(command: str, starter: str) -> None:
    assert starts_others(command.split()) == starter


@pytest.mark.parametrize(
    ("command", "fixed", "starter"),
    [
        ("python -m pytest -q", "python -m pytest", ""),
        ("python3.11 x.py -q", "python3.11", ""),
        ("node -e x", "node", ""),
        ("awk x f", "awk", "awk"),
        ("awk x f", "awk x", ""),
        ("npx eslint src", "npx eslint", ""),
        ("npx eslint src", "npx", "npx"),
        ("uv run pytest -q", "uv run pytest", ""),
        ("uv run pytest -q", "uv run", "run"),
        ("bundle exec rspec x", "bundle exec rspec", ""),
        ("hatch run test x", "hatch run", "run"),
        ("uv --offline run pytest", "uv --offline run", "run"),
        ("uv tool run x", "uv tool run", "tool"),
        ("npm exec x -c y", "npm exec x", "exec"),
        ("find . -exec rm", "find . -exec", "-exec"),
        ("sed s/a/b/ -e w", "sed s/a/b/", "sed"),
    ],
)
def test_what_the_rule_itself_names_is_run(command: str, fixed: str, starter: str) -> None:
    assert starts_others(command.split(), fixed.split()) == starter


PROGRAMS = [name for name in STARTERS if " " not in name]
LETTERS = [(name, letter) for name in STARTERS for letter in STARTERS[name].letters]
LONG = [(name, long) for name in STARTERS for long in STARTERS[name].long]
BESIDE = st.text("abnqv1", max_size=3)


@given(st.sampled_from(LETTERS), BESIDE, BESIDE)
def test_a_letter_counts_wherever_it_stands(option: tuple[str, str], before: str, behind: str) -> None:
    program, letter = option
    assert starts_others([*program.split(), "x", f"-{before}{letter}{behind}", "y"])


@given(st.sampled_from(LONG), st.data(), st.sampled_from(["", "=x"]))
def test_a_long_option_counts_however_it_is_cut_or_goes_on(
    option: tuple[str, str], data: st.DataObject, value: str
) -> None:
    program, long = option
    length = data.draw(st.integers(3, len(long)))
    assert starts_others([*program.split(), "x", f"{long[:length]}{value}"])
    assert starts_others([*program.split(), "x", f"{long}-more{value}"])


@given(
    st.sampled_from(sorted(RUNNERS | EVALUATORS | INTERPRETERS | LAUNCHERS)),
    st.sampled_from(["", "/usr/bin/"]),
    st.lists(st.text()),
)
def test_what_starts_others_by_its_name_does_so_with_any_words(name: str, place: str, words: list[str]) -> None:
    assert starts_others([f"{place}{name}", *words])
