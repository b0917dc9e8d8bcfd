"""BLAS uses one thread while there is training, and all of its threads after it."""

import concurrent.futures
import time

from threadpoolctl import threadpool_info, threadpool_limits

from chainrule._blas import one_thread


def threads():
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_it_is_one_inside_and_as_before_outside():
    with threadpool_limits(limits=2, user_api="blas"):
        before = threads()
        with one_thread():
            with one_thread():
                assert set(threads()) == {1}
            assert set(threads()) == {1}
        assert threads() == before


def test_fits_that_overlap_leave_things_as_they_were():
    before = threads()

    def fit(seconds):
        with one_thread():
            time.sleep(seconds)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, [0.02, 0.01, 0.04, 0.03, 0.01, 0.02]))
    assert threads() == before


def test_what_is_raised_inside_comes_out():
    before = threads()
    try:
        with one_thread():
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        assert threads() == before
