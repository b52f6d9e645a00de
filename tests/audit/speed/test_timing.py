"""Timing in turns."""

from functools import partial

from audit.speed.timing import side_by_side


def test_every_turn_times_each_form_once_in_an_order_of_its_own():
    called = []
    timings = side_by_side({name: partial(called.append, name) for name in "abcd"}, turns=20, warm_up=1)
    assert {name: len(timing.seconds) for name, timing in timings.items()} == dict.fromkeys("abcd", 20)
    assert called[:4] == list("abcd")
    orders = {tuple(called[start : start + 4]) for start in range(4, len(called), 4)}
    assert all(sorted(order) == list("abcd") for order in orders)
    before_a = {order[order.index("a") - 1] for order in orders if order[0] != "a"}
    assert before_a == set("bcd")
