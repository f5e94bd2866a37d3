"""What may go wrong with child programs."""

from callguard.ports import CallGuardError


class ServerNotFoundError(CallGuardError):
    """This machine has no Valkey or Redis server that we could start. Trying again cannot help."""


class ServerStartError(CallGuardError):
    """The embedded Valkey did not come up; the message ends with the last lines of its log."""


class DataDirInUseError(CallGuardError):
    """Another process keeps its data there. Trying again helps once that process has ended."""


class EssentialProgramError(CallGuardError):
    """A program that the rest cannot do without never came up; the message says which, and its last words."""
