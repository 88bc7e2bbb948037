"""The knowledge base: categories, folders, articles."""

from __future__ import annotations

from collections.abc import Iterable

from arcana_pipelines.testing.clock import Clock
from arcana_pipelines.testing.freshdesk_server.account import Account, Upload
from arcana_pipelines.testing.freshdesk_server.model import PUBLISHED, Article, Category, Folder, Text, as_html


class KnowledgeBase(Account):
    """An account with articles. There is no trash: what is deleted is gone.

    Attributes:
        gone_articles: ids of articles that were deleted.
        shows_drafts: of a published article that has a newer draft, the API gives the draft.
    """

    def __init__(self, *, seed: int = 1, clock: Clock | None = None, domain: str = "acme") -> None:
        super().__init__(seed=seed, clock=clock, domain=domain)
        self.categories: dict[int, Category] = {}
        self.folders: dict[int, Folder] = {}
        self.articles: dict[int, Article] = {}
        self.gone_articles: set[int] = set()
        self.shows_drafts = False

    def add_category(self, name: str, description: str = "") -> int:
        """A category; returns its id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            self.categories[new] = Category(new, name, description, now, now)
            return new

    def add_folder(self, category: int, name: str, *, parent: int | None = None, visibility: int = 1) -> int:
        """A folder of a category, or of another folder; returns its id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            self.folders[new] = Folder(new, name, category, parent, visibility, now, now)
            return new

    def set_visibility(self, folder: int, visibility: int) -> None:
        """Who may read the articles of a folder; no article moves."""
        with self.lock:
            self.folders[folder].visibility = visibility
            self.folders[folder].updated_at = self.now()

    def add_article(
        self,
        folder: int,
        title: str,
        text: Text,
        *,
        status: int = PUBLISHED,
        tags: Iterable[str] = (),
        attach: Iterable[Upload] = (),
    ) -> int:
        """An article; returns its id."""
        with self.lock:
            now, new = self.now(), self.new_id()
            files = self.store(attach)
            self.articles[new] = Article(
                new, title, as_html(text), folder, status, self.agent, tuple(tags), now, now, attachments=files
            )
            return new

    def edit_article(self, article: int, text: Text, *, title: str | None = None) -> None:
        """Replace its text, and publish that where it was published."""
        with self.lock:
            found = self.articles[article]
            found.text, found.draft, found.updated_at = as_html(text), None, self.now()
            found.title = found.title if title is None else title

    def draft_article(self, article: int, text: Text) -> None:
        """A newer text of a published article that is not published yet."""
        with self.lock:
            self.articles[article].draft = as_html(text)

    def set_article_status(self, article: int, status: int) -> None:
        """Publish it, or take it back to a draft."""
        with self.lock:
            self.articles[article].status = status
            self.articles[article].updated_at = self.now()

    def move_article(self, article: int, folder: int) -> None:
        """Put it into another folder."""
        with self.lock:
            self.articles[article].folder_id = folder
            self.articles[article].updated_at = self.now()

    def translate_article(self, article: int, language: str, title: str, text: Text) -> None:
        """Its text in another language."""
        with self.lock:
            self.articles[article].translations[language] = (title, as_html(text))

    def delete_article(self, article: int) -> None:
        """It is gone at once."""
        with self.lock:
            del self.articles[article]
            self.gone_articles.add(article)

    def delete_folder(self, folder: int) -> None:
        """With all that is in it."""
        with self.lock:
            for inner in [other.id for other in self.folders.values() if other.parent_id == folder]:
                self.delete_folder(inner)
            for article in [each.id for each in self.articles.values() if each.folder_id == folder]:
                self.delete_article(article)
            del self.folders[folder]
