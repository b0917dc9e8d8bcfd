"""Starting points: their sizes, and that they do not depend on each other."""

import numpy as np
import pytest

from chainrule import ConfigurationError, Network
from chainrule.heart.initialisation import SCHEMES, Starts


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_first_starts_are_the_same_for_any_number(scheme):
    net = Network([2, 5, 1])
    few, many = Starts(net, 7, scheme).take(3), Starts(net, 7, scheme).take(50)
    assert np.array_equal(few, many[:3])
    in_two = Starts(net, 7, scheme)
    assert np.array_equal(np.vstack([in_two.take(20), in_two.take(30)]), many)
    assert not np.array_equal(few, Starts(net, 8, scheme).take(3))
    assert len(np.unique(many[:, 0])) == 50


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_nguyen_widrow_shares_out_the_range(inputs):
    net = Network([inputs, 12, 1])
    for theta in Starts(net, 0, "nguyen_widrow").take(20):
        W, b = net.weights(theta)
        length = 0.7 * 12 ** (1 / inputs)
        assert np.linalg.norm(W[1], axis=0) == pytest.approx(length / np.sqrt(3))
        # one unit bends in every twelfth of the range
        assert np.floor((b[1] / length + 1) / 2 * 12).tolist() == list(range(12))


def test_auto_takes_it_for_few_inputs_only():
    for inputs, expected in ((1, "nguyen_widrow"), (3, "nguyen_widrow"), (4, "scaled")):
        net = Network([inputs, 4, 1])
        assert np.array_equal(Starts(net, 0).take(1), Starts(net, 0, expected).take(1))
    plain = Network([2, 3, 1], bias=False)
    assert np.array_equal(plain.initial(0), plain.initial(0, "scaled"))


def test_a_negative_seed_is_refused():
    with pytest.raises(ConfigurationError, match="seed is -1"):
        Starts(Network([1, 1]), -1)
