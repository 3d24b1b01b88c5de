"""A newcomer who follows docs/operations.md in a lab, word for word, but for what has to come over a network."""

from __future__ import annotations

import re
import subprocess
import sysconfig
from pathlib import Path

from tests.systemd.laboratory import ROOT, Lab

CLONE = "/opt/claudegwd"
# The environment that runs these tests, as the lab sees it: what pip would fetch lies there.
FETCHED = "/opt/fetched"
SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
# What the network would bring; everything else on the page is run as it stands there. Packages of Debian are those of
# the machine. Of our own only the installation itself is left to pip.
INSTEAD = {
    "sudo apt install": "true",
    "sudo git clone": f"test -f {CLONE}/docs/operations.md",
    "sudo .venv/bin/pip install --require-hashes -r constraints.txt": (
        f"cd .venv/lib/python3.*/site-packages; for each in {FETCHED}/*; do case ${{each##*/}} in "
        "claudegwd-* | _claudegwd.pth) ;; *) [ -e ${each##*/} ] || ln -s $each .;; esac; done"
    ),
}
# Where the machine has none: root may do anything without.
SUDO = '#!/bin/sh\nexec "$@"\n'


def commands(heading: str, number: int = 0) -> list[str]:
    """The lines of a shell block of the page, without their comments."""
    page = (ROOT / "docs/operations.md").read_text()
    section = re.split(r"^#+ ", page.split(f"### {heading}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    block = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[number]
    lines = block.replace("\\\n", " ").splitlines()
    return [re.sub(r"\s+# .*", "", line) for line in lines]


def bring_clone(lab: Lab) -> None:
    """What a clone would hold once this tree is committed."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    files = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    there = b"".join(name + b"\0" for name in files.split(b"\0") if name and (ROOT / name.decode()).exists())
    packed = subprocess.run(["tar", "-c", "--null", "-T", "-"], input=there, cwd=ROOT, check=True, capture_output=True)
    lab.give(packed.stdout, "sh", "-c", f"mkdir -p {CLONE} && tar -x --no-same-owner -C {CLONE}")
    lab.run("sh", "-c", "command -v sudo >/dev/null || cat >/usr/bin/sudo && chmod +x /usr/bin/sudo", given=SUDO)


def follow(lab: Lab, line: str) -> str:
    """One line of the page, in the clone; what it says."""
    [*instead] = [text for begins, text in INSTEAD.items() if line.startswith(begins)]
    return lab.said("sh", "-ec", f"cd {CLONE}; {instead[0] if instead else line}")
