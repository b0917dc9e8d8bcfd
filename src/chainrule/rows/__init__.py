"""The rows of a table, and the only owner of data. In reading order:

protocol  what may be asked of rows: sums over blocks, values per row, moments
sums      the fixed order in which sums of blocks are added (the native core: native/engine.cpp)
memory    rows in memory: a block is a view
"""
