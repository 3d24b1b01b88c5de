"""Responses: those that are kept, those under way, and those that a restart has lost."""

from claudegwd.store.background_record import BackgroundRecord
from claudegwd.store.database import Database
from claudegwd.store.response_files import ResponseFiles
from claudegwd.store.responses import KeptResponses
from claudegwd.store.running_responses import RunningResponses
from claudegwd.store.sealing import Seal


class Responses:
    """`background` remembers which are made in the background, so that a restart can say so. `seal`: for what a client
    brings back to us."""

    def __init__(self, database: Database, seal: Seal, keep_seconds: float) -> None:
        self.kept = KeptResponses(keep_seconds=keep_seconds)
        self.files = ResponseFiles(database.directory)
        self.background = BackgroundRecord(database)
        self.running = RunningResponses()
        self.seal = seal

    async def load(self, now: float, *, on_disk: bool) -> None:
        """Take up what an earlier run has left. `on_disk`: they are to be kept there. `now`: trio's clock."""
        await self.files.start(self.kept, self.seal, now, wanted=on_disk)
        await self.background.load()
