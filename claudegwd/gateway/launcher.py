"""How CLI processes are started: the binary, the environment, the login and the flags."""

from collections.abc import Mapping
from pathlib import Path

import trio

from claudegwd import contract
from claudegwd.claude_cli import launch as cli_launch
from claudegwd.config.schema import Config
from claudegwd.gateway.login import Login
from claudegwd.keys.ring import KeyRing
from claudegwd.workers.cli.binary import find_binary
from claudegwd.workers.cli.catalogue_probe import CATALOGUE, Found, keep, probe, read_kept
from claudegwd.workers.cli.known_cli import KnownCli, learn
from claudegwd.workers.process.process import Launch
from claudegwd.workers.process.scratch import Scratch

# Added to parked_seconds, so that the CLI never gives up on a tool call before we do.
TOOL_GRACE_SECONDS = 60.0


class Launcher:
    """`config` is the one in effect, `env` the daemon's own environment. Close it at the end, to remove the processes'
    homes."""

    def __init__(self, config: Config, ring: KeyRing, env: Mapping[str, str]) -> None:
        self.config = config
        self.cli = KnownCli(find_binary(config.claude, env))
        self.login = Login(env)
        self._ring = ring
        self.env = env
        self.scratch = Scratch.make()

    def close(self) -> None:
        """Remove the processes' directories."""
        self.scratch.remove()

    def launch(self, cli: KnownCli | None = None) -> Launch:
        """How a new process is started, from the CLI in use or another one."""
        cli = cli or self.cli
        keys = len(self._ring) > 0
        bare = cli_launch.uses_bare(keys_configured=keys, env=self._cli_env())
        whole = self.carries_whole(cli)
        home = self.scratch.next()
        env = cli_launch.environment(
            self._cli_env(),
            home=home,
            keys_configured=keys,
            tool_seconds=self.config.workers.parked_seconds + TOOL_GRACE_SECONDS,
            client_log=cli.client_log,
            keychain=self.login.may_be_in_keychain,
        )
        settings = None if keys else self.login.write_settings(self.scratch.root)
        line = cli_launch.argv(cli.binary, bare=bare, client_log=cli.client_log, whole=whole, settings=settings)
        return Launch(line, env, home, warms_up=keys, whole=whole, goes_back=cli.goes_back)

    def carries_whole(self, cli: KnownCli | None = None) -> bool:
        """Whether requests are sent whole. Not under the CLI's own login, where the CLI composes them itself."""
        bare = cli_launch.uses_bare(keys_configured=len(self._ring) > 0, env=self._cli_env())
        return bare and (cli or self.cli).whole and self.config.workers.carrier == "auto"

    async def learn(self, binary: Path) -> KnownCli:
        """Ask a CLI what it can do, while the one in use continues. Raises CliError."""
        if binary == self.cli.binary and self.cli.version:
            return self.cli
        return await learn(KnownCli(binary), self.launch, self._probed)

    async def _probed(self, launch: Launch) -> Found:
        path = contract.state_directory(self.env) / CATALOGUE
        found = await trio.to_thread.run_sync(read_kept, path, launch)
        if found is None:
            found = await probe(launch, trio.current_time)
            await trio.to_thread.run_sync(keep, path, launch, found)
        return found

    def _cli_env(self) -> Mapping[str, str]:
        return self.env if len(self._ring) else self.login.env
