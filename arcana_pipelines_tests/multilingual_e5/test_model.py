"""The vectors are those of the model, the same on every processor, in any company, in every thread and after a fork."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from arcana_pipelines.embedding.catalogue import E5_MODEL, MULTILINGUAL_MODEL
from arcana_pipelines.embedding.multilingual import _together
from arcana_pipelines.embedding.protocol import Embedder
from arcana_pipelines.embedding.registry import open_embedder
from arcana_pipelines.multilingual_e5.blas import _libraries, one_thread_each
from arcana_pipelines.settings import Settings
from arcana_pipelines.testing.conformance.threads import at_once
from arcana_pipelines_tests.blas_kernels import vectors_under
from arcana_pipelines_tests.multilingual_e5 import needs_weights

pytestmark = needs_weights

QUESTION = "query: How many days of parental leave are there?"
TEXTS = [
    QUESTION,
    "passage: 육아 휴직은 쉰 날이다.",
    "passage: Parental leave is fifty days.",
    "passage: The invoice is due in May.",
    "passage: " + "긴 글은 처음만 읽는다. " * 300,
    "passage: " + "\ufdfa" * 5_000,
    "passage: \x00",
    "",
]


def embedder(model: str = MULTILINGUAL_MODEL) -> Embedder:
    return open_embedder(Settings(), model, 384)


def print_vectors() -> None:
    print(json.dumps(embedder().embed(TEXTS).vectors.tolist()))


def embed_in_a_forked_process() -> None:
    """Fork in the middle of another thread's work; end with 0 when the new process has embedded, too."""
    import threading

    ours = embedder()
    expected = ours.embed(TEXTS[:4]).vectors
    is_over = threading.Event()

    def embed_on() -> None:
        while not is_over.is_set():
            ours.embed(TEXTS[:4])

    threading.Thread(target=embed_on, daemon=True).start()
    for _ in range(5):
        if (child := os.fork()) == 0:
            found = embedder().embed(TEXTS[:4]).vectors
            os._exit(0 if np.allclose(found, expected, atol=1e-6) else 3)
        _, status = os.waitpid(child, 0)
        if status:
            sys.exit(1)
    is_over.set()


@pytest.fixture(scope="module")
def alone() -> np.ndarray:
    return np.stack([embedder().embed([text]).vectors[0] for text in TEXTS])


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return embedder().embed(TEXTS).vectors


@pytest.mark.parametrize(
    ("model", "question", "answer"),
    [
        (
            MULTILINGUAL_MODEL,
            [0.040146, -0.008262, -0.057045, -0.029165, 0.074158, -0.050879],
            [0.059334, 0.014559, -0.034104, -0.058448, 0.103821, 0.009775],
        ),
        (
            E5_MODEL,  # of older indexes, before it was taught
            [0.039975, -0.010921, -0.06272, -0.025126, 0.070783, -0.055196],
            [0.057732, 0.003008, -0.030776, -0.05896, 0.096275, 0.011428],
        ),
    ],
)
def test_the_vectors_are_those_that_were_measured(model: str, question: list[float], answer: list[float]) -> None:
    vectors = embedder(model).embed(TEXTS).vectors
    np.testing.assert_allclose(vectors[:2, :6], [question, answer], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_question_is_nearest_to_its_answer_in_either_language(vectors: np.ndarray) -> None:
    korean, english, invoice = vectors[1:4] @ vectors[0]
    assert english > korean > invoice


def test_of_a_long_text_as_much_is_read_as_the_model_can(vectors: np.ndarray) -> None:
    embedded = embedder().embed([TEXTS[4], TEXTS[4] + "Nothing of this is read."])
    assert embedded.counts == [512, 512]
    np.testing.assert_array_equal(embedded.vectors[0], embedded.vectors[1])


@pytest.mark.parametrize(
    "company",
    [
        range(len(TEXTS)),
        range(len(TEXTS))[::-1],
        [0, 0, 0],
        [7, 1],  # an empty text first
        [6, 7, 4, 7, 6],  # short ones around one of 512 tokens
    ],
)
def test_a_text_has_the_same_vector_alone_and_in_any_company(alone: np.ndarray, company: Sequence[int]) -> None:
    embedded = embedder().embed([TEXTS[number] for number in company])
    np.testing.assert_allclose(embedded.vectors, alone[list(company)], rtol=0, atol=1e-6)


def test_it_has_the_same_one_on_however_many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["휴가 " * count for count in (0, 1, 3, 120, 30, 2, 60, 1)]
    alone = [embedder().embed([text]) for text in texts]
    for cores in (1, 2):
        monkeypatch.setattr("arcana_pipelines.embedding.multilingual.cores", lambda cores=cores: cores)
        embedded = embedder().embed(texts)
        np.testing.assert_allclose(embedded.vectors, [each.vectors[0] for each in alone], rtol=0, atol=1e-6)
        assert embedded.counts == [each.tokens for each in alone]


@pytest.mark.parametrize(
    ("tokens", "cores", "groups"),
    [
        ([17, 13], 2, [[17, 13]]),  # a question, and its words in the other language
        ([60] * 4, 2, [[60, 60], [60, 60]]),
        ([20] * 40, 2, [[20] * 10] * 4),
        ([20] * 40, 1, [[20] * 10] * 4),
        ([20] * 10, 8, [[20] * 6, [20] * 4]),  # too few for eight
        ([200] * 3, 2, [[200]] * 3),
        ([4, 512, 4, 4], 1, [[4], [512], [4, 4]]),
        ([], 2, []),
    ],
)
def test_texts_go_together_in_their_order_and_each_core_gets_some(
    tokens: list[int], cores: int, groups: list[list[int]]
) -> None:
    found = list(_together([[0] * count for count in tokens], cores))
    assert [[len(text) for text in group] for group in found] == groups


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["Haswell", "SkylakeX"])  # of OpenBLAS; elsewhere they are not known
def test_vectors_are_the_same_on_every_processor(vectors: np.ndarray, kernel: str) -> None:
    np.testing.assert_allclose(vectors_under(kernel, __name__), vectors, atol=1e-5)


@pytest.mark.slow
def test_a_forked_process_embeds() -> None:
    code = f"import {__name__} as tests; tests.embed_in_a_forked_process()"
    assert subprocess.run([sys.executable, "-c", code], timeout=120, check=False).returncode == 0


def test_blas_has_its_threads_back_when_the_last_thread_is_outside() -> None:
    def threads() -> list[int]:
        # Of numpy: a store's library in the same process may have loaded another BLAS, which is its own affair.
        return [library.num_threads for library in _libraries()]

    def inside(_: int) -> list[int]:
        with one_thread_each():
            time.sleep(0.001)
            return threads()

    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        assert all(set(found) <= {1} for found in at_once(inside, range(64)))
        assert threads() == before
