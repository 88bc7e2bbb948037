"""Every error this package raises on purpose.

The class says who has to act and whether trying again can help; the message names the thing, the
workspace and the next step, and never a secret.
"""

from __future__ import annotations


class ArcanaError(Exception):
    """Anything this package reports instead of a traceback. The command line exits with `exit_code`."""

    exit_code = 1


class WrongUse(ArcanaError):
    """The caller asked for something that cannot be: correct the call, the setting or the environment."""

    exit_code = 2


class NotRemembered(WrongUse):
    """What an index showed at that time is not known. The message says since when it is."""


class UnknownDocument(WrongUse):
    """The index serves no such document, or version or part of one."""


class UnknownTicket(WrongUse):
    """There is no such ticket within the company, the platform and the workspaces that are asked."""


class TicketExists(WrongUse):
    """Another ticket of the company has this number on the platform, or had it."""


class UnknownTicketField(WrongUse):
    """A ticket has no field of this name that can be written."""


class TaxonomyNodeNotFoundError(WrongUse):
    """No node of a taxonomy has this path.

    Attributes:
        path: the labels that were asked for.
        version: in which there is none.
        available: at most five paths that are there: first those below the part of the path that is.
        similar: at most five that may have been meant, the likeliest first.
    """

    def __init__(
        self,
        message: str,
        path: tuple[str, ...] = (),
        version: str = "",
        available: tuple[tuple[str, ...], ...] = (),
        similar: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        super().__init__(message)
        self.path, self.version, self.available, self.similar = path, version, available, similar


class CursorRefused(WrongUse):
    """A cursor is not one of this search, or the index has changed since it was given: search again without it."""


class InvalidSetting(WrongUse):
    """A variable has a value that cannot be used. The message names the variable, never its value."""


class FileRefused(WrongUse):
    """A file with settings or a secret is not read. The message says why, and nothing of what it holds."""


class IndexFileRefused(WrongUse):
    """A file is no index of ours, is damaged or not whole, cannot be opened, or is of a newer release."""


class CredentialUnreadable(WrongUse):
    """A token that is kept in the database cannot be decrypted. The message says what to do, and nothing of it."""


class UnknownWorkspace(WrongUse):
    """No workspace has this slug."""

    @classmethod
    def named(cls, slug: str) -> UnknownWorkspace:
        """The error, in words."""
        return cls(
            f"There is no workspace '{slug}'. `arcana workspace list` shows those there are; "
            "`arcana workspace add` registers one."
        )


class InvalidSlug(WrongUse):
    """The slug breaks the rules, is taken, or belonged to a removed workspace."""


class MissingToken(WrongUse):
    """The environment variable that should hold the source's token is not set."""


class ModelMissing(WrongUse):
    """The weights of a model that runs here are not installed, cannot be read, or are not those of this release."""


class DatabaseUnreachable(WrongUse):
    """No PostgreSQL answers at the configured address, or it refuses us."""


class NoRoleForCompany(WrongUse):
    """The database has no role for a company, or this user may not act as it. The message says where to read on."""


class OnlySearches(WrongUse):
    """The user of the database may search and nothing else."""


class DatabaseBusy(ArcanaError):
    """A statement, or its wait for a lock, took longer than it may. Nothing was changed; trying again can help."""


class LeaseLost(ArcanaError):
    """Another run has taken over the workspace. Nothing is written any more; the other goes on from there."""


class DatabaseFull(ArcanaError):
    """The database's disk is full. What was stored stays; trying again helps when there is space."""


class BackupFailed(ArcanaError):
    """The database could not be dumped: before its schema changes, or for a backup. Nothing was changed."""


class BackupRefused(WrongUse):
    """A place cannot hold, or does not have, the backup that is asked for. Nothing was written."""


class BackupDamaged(ArcanaError):
    """A part of a backup is missing, or has other bytes than were written."""


class RestoreRefused(WrongUse):
    """A backup is not restored where it would overwrite something, or into what cannot hold it. Nothing was touched."""


class RestoreFailed(ArcanaError):
    """A restore ended in the middle. What it was into is marked, and nothing uses it until it is done again."""


class InvalidExport(WrongUse):
    """The export folder or zip is missing, malformed or unsafe."""


class SourceError(ArcanaError):
    """The source could not be read. Nothing is ever removed because of one of these."""


class TokenRevoked(SourceError):
    """401: the token is not accepted. The run stops; nothing is removed."""


class SourceMismatch(SourceError):
    """The token now belongs to another account of the source than the one that was indexed."""


class PageUnavailable(SourceError):
    """404 for one page: deleted for ever, un-shared, or moved out of reach. Absence is not yet proven."""


class PageRejected(SourceError):
    """One page cannot be read and trying again will not help soon. It goes to quarantine."""


class RequestInvalid(PageRejected):
    """400: the source does not understand the request; it may do without some part of it."""


class SourceUnavailable(SourceError):
    """The source did not answer properly (429, 5xx, timeout, dropped connection) after all retries."""


class AnswerUnusable(SourceUnavailable):
    """The source answered one request with something that cannot be used. It says nothing about other requests."""


class SourcePaused(SourceUnavailable):
    """The source asks for a pause too long to sit out. What is left is read by a later sync."""


class PageTooLarge(ArcanaError):
    """A page is larger, or takes longer, than one page may. It goes to quarantine."""


class EmbeddingFailed(ArcanaError):
    """The embedding provider failed or answered with something unusable. What was stored stays stored."""


class InputRejected(EmbeddingFailed):
    """The provider refuses this input; another one may be fine. Never raised for what concerns every input."""


class SummaryFailed(ArcanaError):
    """The chat model that summarises tickets did not answer properly, for now. What was made stays; no sync waits."""


class SummaryRefused(SummaryFailed):
    """The chat model refuses this ticket; another one may be fine. Never raised for what concerns every ticket."""


class SummaryUnusable(SummaryFailed):
    """What the chat model answered is no summary of the ticket. The message says why, and nothing of what it said."""


class RerankingFailed(ArcanaError):
    """The reranker failed, was too slow or answered with something unusable. Searches go on without it."""


class BudgetReached(ArcanaError):
    """The next embedding request might cross the workspace's monthly limit. What was embedded is stored."""


class NotVerified(ArcanaError):
    """A build of an index is not fit to serve; the one that serves stays."""


# What these say is for who runs the installation, whatever else they are: nothing is wrong with what was asked.
FAULTS_OF_THE_INSTALLATION = (
    DatabaseUnreachable, DatabaseBusy, DatabaseFull, InvalidSetting, ModelMissing, NoRoleForCompany,
    OnlySearches,
)  # fmt: skip


class TargetUnreachable(ArcanaError):
    """A target's store is down, slow, full, refuses us, or is in use. What is to be delivered waits; searches go on."""


class CollectionMissing(ArcanaError):
    """A target's store has no such collection (any more). It is made and filled again."""


class RowsRefused(ArcanaError):
    """A target's store refuses what it was given, and would again."""


class TargetDiffers(ArcanaError):
    """A target does not hold what PostgreSQL publishes. What differs is delivered again."""

    exit_code = 3


class FileStoreUnreachable(ArcanaError):
    """The store of files does not answer now. What is to be stored waits; what is stored is searched as before."""


class FileStoreRefused(ArcanaError):
    """The store of files refuses us, or its disk is full. The message says what to do."""


class ReadersBroken(ArcanaError):
    """No process that reads files can be started here. They wait; the message says why."""


class FileMissing(ArcanaError):
    """The store of files does not hold what the ledger says it does."""


class FileDamaged(ArcanaError):
    """A file has other bytes than its hash says."""


class FileNotAllowed(WrongUse):
    """A file is larger, or of another kind, than the settings allow. Nothing of it is kept."""


class DownloadRefused(SourceError):
    """A file may not be fetched from where it lies, or is larger than allowed: trying again will not help."""


class DownloadExpired(SourceError):
    """The address of a file holds no longer. Its page gives a new one."""


class DownloadFailed(SourceError):
    """A file could not be fetched now. Nothing is removed because of it; it is fetched again."""


class TranscriptionFailed(ArcanaError):
    """The endpoint that writes recordings down did not, for now. Nothing is removed; the file is asked for again."""


class TaxonomyRefused(WrongUse):
    """A taxonomy cannot be so, or cannot be released or changed now. The message names the row, path or rule."""


class TopicDecided(WrongUse):
    """Somebody else has decided on a suggested topic meanwhile. The message says who, when, and what."""


class UnknownTaxonomyVersion(WrongUse):
    """The workspace has no such version of a taxonomy, or none that is active."""
