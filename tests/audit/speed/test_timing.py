"""Timing in turns."""

import gc
import time
from functools import partial

from audit.speed.timing import clocked, in_turns


def test_every_turn_times_each_form_once_in_an_order_of_its_own():
    called = []
    taken = in_turns({name: clocked(partial(called.append, name)) for name in "abcd"}, turns=20)
    assert {name: len(seconds) for name, seconds in taken.items()} == dict.fromkeys("abcd", 20)
    orders = {tuple(called[start : start + 4]) for start in range(0, len(called), 4)}
    assert all(sorted(order) == list("abcd") for order in orders)
    before_a = {order[order.index("a") - 1] for order in orders if order[0] != "a"}
    assert before_a == set("bcd")


def test_no_turn_is_begun_when_time_is_up_but_the_least():
    assert len(in_turns({"a": lambda: 1.0}, turns=20, seconds=0, least=4)["a"]) == 4


def test_a_clock_times_one_call_without_what_comes_before_it_and_without_garbage_collection():
    called = []
    seconds = clocked(lambda: called.append(gc.isenabled()), before=lambda: time.sleep(0.2))()
    assert called == [False]
    assert gc.isenabled()
    assert 0 < seconds < 0.2
