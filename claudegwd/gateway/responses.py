"""Responses: those kept, those running, and those lost in a restart."""

from claudegwd.store.background_record import BackgroundRecord
from claudegwd.store.database import Database
from claudegwd.store.response_files import ResponseFiles
from claudegwd.store.responses import KeptResponses
from claudegwd.store.running_responses import RunningResponses
from claudegwd.store.sealing import Seal


class Responses:
    """`background` remembers which run in the background, so that they can be reported after a restart. `seal`: for
    what clients bring back to us."""

    def __init__(self, database: Database, seal: Seal, keep_seconds: float) -> None:
        self.kept = KeptResponses(keep_seconds=keep_seconds)
        self.files = ResponseFiles(database.directory)
        self.background = BackgroundRecord(database)
        self.running = RunningResponses()
        self.seal = seal

    async def load(self, now: float, *, on_disk: bool) -> None:
        """Load what an earlier run left. `on_disk`: responses are to be kept on disk. `now`: trio's clock."""
        await self.files.start(self.kept, self.seal, now, wanted=on_disk)
        await self.background.load()
