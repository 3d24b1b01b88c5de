"""Where the project lives, in the metadata of its packages: said by whoever releases them (docs/releasing.md)."""

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# Such as the address of a repository on a forge; without it the packages name none.
VARIABLE = "PROJECT_URL"


class Urls(MetadataHookInterface):
    """`[project.urls]`, on one address."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling for each build."""
        home = os.environ.get(VARIABLE, "").rstrip("/")
        if home:
            metadata["urls"] = {
                "Homepage": home,
                "Documentation": f"{home}/tree/HEAD/docs",
                "Changelog": f"{home}/blob/HEAD/CHANGELOG.md",
                "Issues": f"{home}/issues",
                "Source": home,
            }
