"""Where the rows are: the only owner of data. In reading order:

protocol  what may be asked of rows: sums over blocks, values per row, moments
sums      in which order the sums of blocks are added, so that bits depend on the data alone
memory    rows in memory: a block is a view
"""
