import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_man_pages_and_completions_are_up_to_date() -> None:
    """If this fails: `packaging/generate`, and commit what it wrote."""
    done = subprocess.run([sys.executable, ROOT / "packaging" / "generate", "--check"], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


def test_every_setting_is_in_its_page() -> None:
    from claudegwd.config.schema import Config, WorkspaceConfig

    page = (ROOT / "packaging" / "man" / "claudegwd.toml.5").read_text()
    sections = {name: getattr(Config(), name) for name in Config.__struct_fields__ if name != "workspaces"}
    for section, struct in {**sections, "workspaces.NAME": WorkspaceConfig()}.items():
        assert f".SH [{section}]" in page
        for key in struct.__struct_fields__:
            assert rf"\fB{key}\fP" in page, f"{section}.{key}"


def test_the_page_of_settings_says_which_require_a_restart() -> None:
    from claudegwd.config.diff import NEEDS_RESTART

    page = (ROOT / "packaging" / "man" / "claudegwd.toml.5").read_text()
    said = page.partition("Only changes of ")[2].partition(" require a restart")[0]
    keys, _, sections = said.partition(" and of the sections ")
    whole = set(sections.split(" and "))
    assert whole <= {key.partition(".")[0] for key in NEEDS_RESTART}
    assert {key for key in NEEDS_RESTART if key.partition(".")[0] not in whole} == set(keys.split(", "))
