"""A plausible workspace, the same for the same numbers: English and Korean, nested pages, databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

from arcana_pipelines.demo.vocabulary import ENGLISH, KOREAN, Vocabulary
from arcana_pipelines.testing.notion_server.model import blocks
from arcana_pipelines.testing.notion_server.model.blocks import BlockSpec
from arcana_pipelines.testing.notion_server.model.clock import DEFAULT_START
from arcana_pipelines.testing.notion_server.world.world import NotionWorld

HISTORY = timedelta(days=60)
"""How long before the present the oldest page was made."""

_NESTED = 0.75
_KOREAN = 0.4


def seed_world(
    pages: int = 200, rows: int = 50, seed: int = 1, *, real_time: bool = False, files: int = 0
) -> NotionWorld:
    """A workspace with so many pages (about 20 blocks each), in all its databases together rows, and on pages files.

    The files are small texts, tables and web pages, some of them on two pages; nothing else depends on them.

    The clock stands at the usual start, or runs from the present with `real_time`; everything was made in the
    60 days before.
    """
    end = datetime.now(UTC) if real_time else DEFAULT_START
    world = NotionWorld(start=end - HISTORY, seed=seed)
    seeder = _Seeder(world, Random(seed), HISTORY / max(1, pages + rows))
    seeder.fill(pages, rows)
    seeder.add_files(files, Random(f"files {seed}"))
    world.clock.set(end)
    if real_time:
        world.clock.run()
    return world


def _file(ending: str, title: str, sentences: list[str]) -> tuple[str, str]:
    """A name and a text of one kind."""
    if ending == "csv":
        text = "".join(f'{at},"{sentence}"\n' for at, sentence in enumerate(sentences, 1))
    elif ending == "html":
        text = f"<html><body><h1>{title}</h1>{''.join(f'<p>{sentence}</p>' for sentence in sentences)}</body></html>"
    else:
        text = "\n\n".join([title, *sentences])
    return f"{title}.{ending}", text


class _Seeder:
    def __init__(self, world: NotionWorld, random: Random, step: timedelta) -> None:
        self.world = world
        self.random = random
        self.step = step.total_seconds()
        self.people = [
            world.add_user(name, f"{name.split()[0].lower()}@example.com")
            for name in ("Grace Hopper", "Alan Turing", "Minji Kim", "Dennis Ritchie")
        ]
        self.made: list[str] = []

    def fill(self, pages: int, rows: int) -> None:
        for at in range(pages):
            words = self._language()
            parent = self.random.choice(self.made) if self.made and self.random.random() < _NESTED else None
            self._act()
            title = f"{self.random.choice(words.topics)} {at + 1}"
            icon = self.random.choice(["📘", "🧭", "🚀", None])
            self.made.append(self.world.add_page(title, parent, self._content(words), icon=icon))
        if rows:
            self._databases(rows)

    def add_files(self, count: int, random: Random) -> None:
        """Put files on pages; with dice of their own, and at the moment at which the last page was made."""
        self.random = random
        for at in range(count if self.made else 0):
            words = self._language()
            title = f"{random.choice(words.topics)} {at + 1}"
            name, text = _file(random.choice(("txt", "csv", "html")), title, [self._sentence(words) for _ in range(5)])
            kept = self.world.upload(name, text)
            for page in random.sample(self.made, min(len(self.made), random.choice((1, 1, 1, 2)))):
                self.world.append_blocks(page, [blocks.file(hosted=kept, caption=self._sentence(words))])

    def _databases(self, rows: int) -> None:
        parent = self.made[0] if self.made else None
        projects = self.world.add_database(
            "Projects",
            parent,
            {
                "Name": "title",
                "Status": {"type": "status", "options": ["Planned", "Running", "Done"]},
                "Owner": "people",
                "Due": "date",
                "Budget": {"type": "number", "format": "dollar"},
                "Key": {"type": "unique_id", "prefix": "PRJ"},
                "Notes": "rich_text",
            },
        )
        minutes = self.world.add_database(
            "회의록",
            parent,
            {
                "이름": "title",
                "분류": {"type": "select", "options": ["주간", "월간", "긴급"]},
                "참석자": "people",
                "날짜": "date",
                "프로젝트": {"type": "relation", "data_source_id": projects.data_source_id},
            },
        )
        made: list[str] = []
        for at in range(rows):
            self._act()
            if at % 2 == 0 or not made:
                made.append(self._project(projects.data_source_id, at))
            else:
                self._meeting(minutes.data_source_id, at, made)

    def _project(self, data_source_id: str, at: int) -> str:
        values = {
            "Status": self.random.choice(["Planned", "Running", "Done"]),
            "Owner": [self.random.choice(self.people)],
            "Due": (self.world.clock.now() + timedelta(days=at % 30)).date().isoformat(),
            "Budget": self.random.randrange(1, 500) * 100,
            "Notes": self._sentence(ENGLISH),
        }
        title = f"{self.random.choice(ENGLISH.topics)} project {at + 1}"
        return self.world.add_row(data_source_id, title, values, self._content(ENGLISH))

    def _meeting(self, data_source_id: str, at: int, projects: list[str]) -> None:
        values = {
            "분류": self.random.choice(["주간", "월간", "긴급"]),
            "참석자": self.random.sample(self.people, 2),
            "날짜": self.world.clock.now().date().isoformat(),
            "프로젝트": [self.random.choice(projects)],
        }
        title = f"{self.random.choice(KOREAN.topics)} 회의 {at + 1}"
        self.world.add_row(data_source_id, title, values, self._content(KOREAN))

    def _content(self, words: Vocabulary) -> list[BlockSpec]:
        sentence = self._sentence
        bold = blocks.text(self.random.choice(words.things), bold=True)
        content = [
            blocks.heading(self.random.choice(words.headings), 1),
            blocks.paragraph(f"{sentence(words)} {sentence(words)}"),
            blocks.paragraph([f"{sentence(words)} ", bold, "."]),
            blocks.heading(self.random.choice(words.headings), 2),
            blocks.bulleted(sentence(words), children=[blocks.bulleted(sentence(words))]),
            blocks.bulleted(sentence(words)),
            blocks.numbered(sentence(words)),
            blocks.numbered(sentence(words)),
            blocks.todo(sentence(words), checked=self.random.random() < 0.5),
            blocks.callout(sentence(words), icon=self.random.choice(["💡", "⚠️"])),
        ]
        extra = [
            blocks.table([words.columns, *(self._row(words) for _ in range(3))]),
            blocks.toggle(self.random.choice(words.headings), [blocks.paragraph(sentence(words))]),
            blocks.quote(sentence(words)),
            blocks.code(f'deploy("{self.random.randrange(10**6)}")', "python"),
            blocks.image(hosted=f"diagram-{self.random.randrange(10**6)}.png", caption=sentence(words)),
            blocks.bookmark(f"https://example.com/{self.random.randrange(10**6)}", sentence(words)),
            blocks.columns([[blocks.paragraph(sentence(words))], [blocks.paragraph(sentence(words))]]),
            blocks.equation(f"x = {self.random.randrange(1000)}"),
        ]
        content += self.random.sample(extra, 4)
        if self.made:
            linked = blocks.mention_page(self.random.choice(self.made))
            content.append(blocks.paragraph([words.see, linked]))
        return [*content, blocks.divider(), blocks.paragraph(sentence(words))]

    def _sentence(self, words: Vocabulary) -> str:
        pick = self.random.choice
        return pick(words.sentences).format(
            team=pick(words.teams),
            thing=pick(words.things),
            reason=pick(words.reasons),
            day=pick(words.days),
            number=self.random.randrange(2, 9_999),
        )

    def _row(self, words: Vocabulary) -> list[str]:
        pick = self.random.choice
        return [pick(words.teams), pick(words.things), str(self.random.randrange(1000))]

    def _language(self) -> Vocabulary:
        return KOREAN if self.random.random() < _KOREAN else ENGLISH

    def _act(self) -> None:
        self.world.clock.advance(self.step)
        self.world.acting_user = self.random.choice(self.people)
