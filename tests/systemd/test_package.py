import re
import subprocess
from pathlib import Path

from tests.systemd.laboratory import Lab, Service

# The score of `systemd-analyze security`: 0 is a service that may do nothing, 10 one that may do all.
MOST_EXPOSED = 2.0


def test_it_brings_user_and_directories_and_starts_nothing(service: Service) -> None:
    lab = service.lab
    assert lab.said("getent", "passwd", "claudegwd").split(":")[5:] == ["/var/lib/claudegwd", "/usr/sbin/nologin"]
    assert lab.said("stat", "-c", "%U:%G %a", "/etc/claudegwd") == "claudegwd:claudegwd 755"
    assert lab.said("stat", "-c", "%U %a", "/etc/credstore") == "root 700"
    assert service.show("UnitFileState") == "disabled"
    assert service.show("ActiveState") == "inactive"


def test_the_programs_start_from_anywhere(lab: Lab) -> None:
    assert lab.said("claudegwd", "--version") == lab.said("claudegwctl", "version").splitlines()[0].replace("ctl", "d")
    assert lab.run("claudegwctl", "status", check=False).returncode == 3
    assert lab.said("/usr/lib/claudegwd/bin/python3", "-m", "pip", "--version"), "what `cli try` fetches by"


def test_systemd_finds_nothing_to_say_about_the_units(lab: Lab) -> None:
    # Images without man, or whose dpkg leaves pages out, lack what Documentation= names; all others are looked at.
    has_pages = lab.run("man", "-w", "8", "claudegwd", check=False).returncode == 0
    verify = ("env", "XDG_RUNTIME_DIR=/run", "systemd-analyze", "verify", f"--man={'yes' if has_pages else 'no'}")
    for unit in ("system/claudegwd.service", "system/claudegwd.socket", "user/claudegwd.service"):
        done = lab.run(*verify, f"--{unit.split('/')[0]}", f"/usr/lib/systemd/{unit}")
        assert done.stdout + done.stderr == ""


def test_the_service_is_not_exposed(lab: Lab) -> None:
    said = lab.said("systemd-analyze", "security", "claudegwd.service")
    found = re.search(r"Overall exposure level for claudegwd.service: ([\d.]+)", said)
    assert found is not None
    assert float(found[1]) <= MOST_EXPOSED


def test_it_has_a_page_for_each_program_and_the_configuration(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True).stdout
    for page in ("man8/claudegwd.8", "man1/claudegwctl.1", "man5/claudegwd.toml.5"):
        assert f"./usr/share/man/{page}.gz\n" in listed
    assert "/site-packages/claudegwctl/dashboard/page/index.html\n" in listed


def test_shells_complete_its_commands(lab: Lab) -> None:
    script = (
        "source /usr/share/bash-completion/completions/claudegwctl; COMP_WORDS=(claudegwctl relo); COMP_CWORD=1; "
        "_claudegwctl_completion claudegwctl; echo ${COMPREPLY[@]}"
    )
    assert lab.said("bash", "-c", script) == "reload"
