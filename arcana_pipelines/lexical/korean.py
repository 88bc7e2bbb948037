"""Korean particles and endings: what stands behind a word's stem without a blank."""

from __future__ import annotations

import re
from functools import cache

ENDINGS = frozenset(
    "은 는 이 가 을 를 의 에 에서 에게 에게서 께 께서 한테 으로 로 으로서 로서 으로써 로써 와 과 도 만 까지 부터 "
    "처럼 보다 마다 조차 밖에 이나 나 이랑 랑 이라는 라는 이란 란 이라고 라고 이며 며 이고 에는 에도 에만 에서는 "
    "에서도 에서의 에의 으로는 로는 으로도 로도 으로의 로의 와의 과의 까지의 부터의 까지는 들 들은 들이 들을 들의 "
    "들에 들과 들도 이다 입니다 이었다 였다 인 일 인가요 이에요 예요 이므로 하다 합니다 하는 하기 하고 하여 해서 해 "
    "했다 했습니다 한 할 함 하면 하려면 하게 하지 하며 하세요 한다 하도록 되다 됩니다 되는 되기 되고 되어 되면 된 될 "
    "됨 된다 습니다 었습니다 았습니다 는데 지만".split()
)


@cache
def _ending() -> re.Pattern[str]:
    """Made when a Korean word is met: it takes as long to make as some searches."""
    return re.compile("(?:" + "|".join(sorted(ENDINGS, key=len, reverse=True)) + ")$")


def without_endings(word: str) -> str:
    """A Korean word without its last two particles or endings; at least one syllable stays."""
    for _ in range(2):
        ending = _ending().search(word)
        if ending is None or ending.start() == 0:
            break
        word = word[: ending.start()]
    return word
