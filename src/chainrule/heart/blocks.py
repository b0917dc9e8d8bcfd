"""Names of the blocks of θ: W[l] and b[l]."""


def layer_of(block: str) -> int:
    """Return the layer l that a block leads out of.

    Examples
    --------
    >>> from chainrule.heart.blocks import layer_of
    >>> layer_of("W[2]")
    2
    """
    return int(block[2:-1])


def is_matrix(block: str) -> bool:
    """Return whether a block is a matrix W[l], and not a bias b[l]."""
    return block.startswith("W")
