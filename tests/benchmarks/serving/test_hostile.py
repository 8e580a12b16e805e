"""Two hundred clients that no server wants, in a few seconds, and good ones among them."""

import asyncio
from collections import Counter

import pytest

from benchmarks.serving import hostile
from tests.tools.serving.asking import serving
from tests.tools.serving.training import encoded, picture


@pytest.mark.slow
def test_hostile_clients_get_4xx_and_the_others_their_answers(tmp_path):
    with serving(tmp_path, workers=2, seconds=5.0) as server:
        before = server.workers.processes
        photo = encoded(picture(1, "RGB", 400), "JPEG")
        tally = asyncio.run(hostile.attack(server.port, photo, times=25))
        assert server.workers.processes == before
        assert server.said == []
    assert [sum(answers.values()) for answers in tally.hostile.values()] == [25] * 8
    assert tally.bad == []
    assert tally.good["200"] > 20
    assert tally.slowest < 10
    expected = {"no image": "400", "100 megapixels": "413", "50 MB": "413", "slow sender": "408"}
    for kind, status in expected.items():
        assert set(tally.hostile[kind]) == {status}, kind


def test_what_should_not_be_is_told():
    tally = hostile.Tally(
        {
            "no image": Counter({"400": 3, "500": 1}),
            "leaves": Counter(closed=2),
            "50 MB": Counter(closed=1),
            "slow sender": Counter(hangs=1),
        },
        Counter({"200": 5, "429": 1}),
        ["wrong JSON: Traceback"],
    )
    assert tally.bad == [
        "no image: 500", "50 MB: closed", "slow sender: hangs", "good: 429", "wrong JSON: Traceback",
    ]  # fmt: skip
