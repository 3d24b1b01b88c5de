"""The project's URLs in the packages' metadata; whoever makes a release sets the address (docs/releasing.md)."""

import os
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

# The address of a repository on a forge. If it is not set, the packages have no URLs.
VARIABLE = "PROJECT_URL"


class Urls(MetadataHookInterface):
    """`[project.urls]`, derived from one address."""

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
