"""Where the rows are: the only owner of data. In reading order:

protocol    what may be asked of rows: sums over blocks, one value per row, moments; and a `Block`
sums        the order in which the sums of blocks are added, so that bits depend on the data alone
memory      rows in memory
"""
