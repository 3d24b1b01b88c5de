"""Commands that start others, or write files in ways that are easy to miss, through their own options. Pure.

Used for rules with a wildcard. If such a program might have been given an option in a form that is not understood here,
it counts as given: short options combined in one word, and abbreviated long options, which most programs accept.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# They run their arguments, or can be made to by what they edit or show.
RUNNERS: Final = frozenset(
    ("!", ".", "ash", "at", "bash", "batch", "builtin", "bun", "busybox", "capsh", "chroot", "chrt", "command",
     "concurrently", "coproc", "cpulimit", "crontab", "csh", "dash", "dbus-run-session", "dc", "deno", "doas",
     "duckdb", "ed", "emacs", "emacsclient", "entr", "env", "eval", "ex", "exec", "expect", "fakeroot", "fish",
     "flock", "gdb", "gosu", "gsed", "hyperfine", "ionice", "irb", "ksh", "less", "lldb", "logsave", "ltrace", "m4",
     "mariadb", "mksh", "more", "most", "mysql", "nc", "nc.openbsd", "nc.traditional", "ncat", "nice", "nix-shell",
     "nodemon", "nohup", "nsenter", "numactl", "nvim", "parallel", "perf", "pipx", "pkexec", "prlimit", "psql",
     "rbash", "red", "rlwrap", "rnano", "run-parts", "runuser", "rview", "rvim", "scp", "screen", "script", "sed",
     "setarch", "setpriv", "setsid", "sftp", "sh", "socat", "source", "sqlite", "sqlite3", "ssh", "ssh-agent",
     "sshpass", "start-stop-daemon", "stdbuf", "strace", "su", "sudo", "systemd-run", "taskset", "tclsh", "tcsh",
     "time", "timeout", "tmux", "toybox", "trap", "unbuffer", "unshare", "valgrind", "vi", "view", "vim", "vim.basic",
     "vim.nox", "vim.tiny", "vimdiff", "watch", "watchexec", "wish", "xargs", "xvfb-run", "zsh")
)  # fmt: skip

# Of bash itself: they evaluate their arguments once more, quoted or not, or load code.
EVALUATORS: Final = frozenset(
    ("bind", "compgen", "complete", "declare", "enable", "export", "fc", "getopts", "let", "local", "mapfile", "read",
     "readarray", "readonly", "typeset", "unset", "wait")
)  # fmt: skip

# Everybody knows that they run any code: fine if a rule names the program itself, such as `Bash(python3 *)`.
INTERPRETERS: Final = frozenset(
    ("groovy", "guile", "java", "jshell", "julia", "lua", "luajit", "node", "nodejs", "octave", "perl", "php", "pwsh",
     "pypy", "python", "r", "rscript", "ruby", "ts-node", "tsx")
)  # fmt: skip

# They run what their first word says with the rest as arguments, which is less known: fine if the rule fixes that word.
LAUNCHERS: Final = frozenset(("awk", "bunx", "gawk", "mawk", "nawk", "npx", "uvx"))


@dataclass(frozen=True, slots=True)
class Starters:
    """`letters`: short options; `long`: those with two dashes; `words`: beginnings of words; `commands`: the program's
    subcommands, which only options may precede."""

    letters: str = ""
    long: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


_GO: Final = ("-exec", "-toolexec", "-vettool", "-overlay", "--exec", "--toolexec", "--vettool", "--overlay")
_COMPILER: Final = ("-wrapper", "-fplugin", "-B", "-specs", "--specs", "@")

STARTERS: Final = {
    "find": Starters(words=("-exec", "-ok", "-delete", "-fprint", "-fls", "-files0-from")),
    "fd": Starters("xX", ("--exec", "--exec-batch")),
    "git": Starters(
        "O",
        ("--config-env", "--exec", "--exec-path", "--upload-pack", "--receive-pack", "--ext-diff", "--textconv",
         "--open-files-in-pager", "--git-dir", "--work-tree", "--output", "--output-directory", "--namespace",
         "--super-prefix", "--attr-source", "--template", "--extcmd", "--tree-filter", "--sendmail-cmd", "--config"),
        ("-c", "-C", "ext::"),
        ("bisect", "config", "daemon", "difftool", "filter-branch", "hook", "instaweb", "mergetool", "send-email",
         "submodule"),
    ),
    "git clone": Starters("cu"),
    "git rebase": Starters("x"),
    "rg": Starters("z", ("--pre", "--hostname-bin", "--search-zip")),
    "bat": Starters("", ("--pager",)),
    "ag": Starters("", ("--pager",)),
    "tar": Starters(
        "IFPT",
        ("--to-command", "--checkpoint-action", "--use-compress-program", "--rsh-command", "--rmt-command",
         "--info-script", "--new-volume-script", "--absolute-names", "--files-from"),
    ),
    "zip": Starters("T", ("--unzip-command",)),
    "split": Starters("", ("--filter",)),
    "install": Starters("", ("--strip-program",)),
    "rsync": Starters("eM", ("--rsh", "--rsync-path", "--remote-option", "--files-from", "--daemon", "--config",
                             "--log-file", "--write-batch", "--only-write-batch")),
    "sort": Starters("oT", ("--compress-program", "--output", "--temporary-directory", "--files0-from")),
    "make": Starters("fEI", ("--eval", "--file", "--makefile", "--include-dir")),
    "man": Starters("CHPX", ("--pager", "--html", "--config-file", "--gxditview")),
    "curl": Starters(
        "oOKTcDJw",
        ("--output", "--output-dir", "--remote-name", "--remote-header-name", "--config", "--upload-file",
         "--cookie-jar", "--dump-header", "--trace", "--trace-ascii", "--stderr", "--libcurl", "--etag-save", "--hsts",
         "--alt-svc", "--engine", "--write-out"),
    ),
    "wget": Starters(
        "OieoaP",
        ("--output-document", "--output-file", "--append-output", "--use-askpass", "--input-file", "--execute",
         "--config", "--directory-prefix", "--save-cookies", "--hsts-file", "--warc-file", "--rejected-log"),
    ),
    "go": Starters(words=_GO),
    "cargo": Starters("", ("--config",)),
    **dict.fromkeys(("cc", "gcc", "g++", "c++", "clang", "clang++"), Starters(words=_COMPILER)),
    "hg": Starters("", ("--config",)),
    "shuf": Starters("o", ("--output",)),
    "tree": Starters("oR", ("--output",)),
    "iconv": Starters("o", ("--output",)),
    "pandoc": Starters("FLd", ("--filter", "--lua-filter", "--defaults", "--pdf-engine")),
    "pylint": Starters("", ("--init-hook", "--load-plugins", "--rcfile", "--output")),
    # Of bash: they evaluate the subscript in the name of a variable.
    "printf": Starters(words=("-v",)),
    **dict.fromkeys(("test", "["), Starters(words=("-v", "-R"))),
    "svn": Starters("", ("--config-option", "--config-dir", "--diff-cmd", "--diff3-cmd", "--editor-cmd")),
    "npm": Starters("", ("--script-shell",), commands=("create", "exec", "init", "x")),
    "pnpm": Starters("", ("--script-shell",), commands=("create", "dlx", "exec")),
    "yarn": Starters(commands=("create", "dlx", "exec")),
    "uv": Starters(commands=("run", "tool")),
    "poetry": Starters(commands=("run",)),
    **dict.fromkeys(("pipenv", "pdm", "hatch", "rye", "pixi"), Starters(commands=("run",))),
    **dict.fromkeys(("conda", "mamba"), Starters(commands=("run",))),
    **dict.fromkeys(("bundle", "direnv"), Starters(commands=("exec",))),
    "mise": Starters(commands=("exec", "x")),
    "nix": Starters(commands=("develop", "run", "shell")),
    "rails": Starters(commands=("runner", "r")),
}  # fmt: skip

# After these the rule may name what is run: `Bash(uv run pytest *)`. They take no options of their own after it.
_WRAPPERS: Final = frozenset(
    (("pnpm", "dlx"), ("pnpm", "exec"), ("yarn", "dlx"), ("yarn", "exec"), ("uv", "run"), ("poetry", "run"),
     ("pipenv", "run"), ("pdm", "run"), ("hatch", "run"), ("rye", "run"), ("pixi", "run"), ("bundle", "exec"))
)  # fmt: skip
_VERSION: Final = re.compile(r"[-.\d]+$")
_VARIABLE: Final = re.compile(r"[^-=][^=]*=")


def starts_others(words: Sequence[str], fixed: Sequence[str] = ()) -> str:
    """The word that makes the command start another, or write in a way that is easy to miss; "" for none.

    `fixed`: the words that the rule fixes, which begin the command.
    """
    name = words[0].rsplit("/", 1)[-1].casefold()
    program = name if name in STARTERS or name in RUNNERS else _VERSION.sub("", name)
    if program in RUNNERS or program in EVALUATORS:
        return program
    if program in INTERPRETERS:
        return "" if fixed else program
    if program in LAUNCHERS:
        return "" if _names_code(fixed[1:]) else program
    known = STARTERS.get(program)
    if known is None:
        return ""
    command = next((word for word in words[1:] if not word.startswith("-")), "")
    if command in known.commands:
        wrapped = (program, command) in _WRAPPERS and tuple(fixed[1:2]) == (command,) and _names_code(fixed[2:])
        return "" if wrapped else command
    every = (known, STARTERS.get(f"{program} {command}", Starters()))
    found = (word for word in words[1:] if any(_starts(word, each) for each in every))
    return next(found, "") or _bare(program, words[1:], known)


def _bare(program: str, rest: Sequence[str], known: Starters) -> str:
    """What does not look like an option: variables of make, and the first word of tar."""
    if program == "make":
        return next(filter(_VARIABLE.match, rest), "")
    old = program == "tar" and rest and not rest[0].startswith("-") and _has_letter(f"-{rest[0]}", known.letters)
    return rest[0] if old else ""


def _names_code(rest: Sequence[str]) -> bool:
    """Whether a rule fixes what is run: a word that is not an option, before everything else."""
    return bool(rest) and not rest[0].startswith("-")


def _starts(word: str, known: Starters) -> bool:
    if word.startswith(known.words):
        return True
    if not word.startswith("--"):
        return _has_letter(word, known.letters)
    name = word.partition("=")[0]
    return name != "--" and any(long.startswith(name) or name.startswith(long) for long in known.long)


def _has_letter(word: str, letters: str) -> bool:
    return word.startswith("-") and any(letter in word for letter in letters)
