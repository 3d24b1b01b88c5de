"""Keeps the CLI from sending further upstream requests on its own after an answer.

It would do that within 12 ms if the answer is cut off, broken off or blank, or calls an undeclared tool. Killing the
process can be too late on a busy machine, and costs a start. So while the answer arrives, the CLI loses the upstream's
address: the running request is not affected, and further ones fail inside the machine (observed). It gets the address
back while nobody waits. Both together cost the CLI some 12 ms of processor time.
"""

from collections.abc import Mapping
from typing import Any, Final

from claudegwd.keys.key import BASE_URL_VARIABLE

# The "discard" port: whatever may listen there ignores its input.
SETTINGS: Final[Mapping[str, Any]] = {"env": {BASE_URL_VARIABLE: "http://127.0.0.1:9"}}
