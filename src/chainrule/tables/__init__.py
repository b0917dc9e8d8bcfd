"""Columns in, matrices out: reading, types, categories, missing values, scaling. In reading order:

table          a table as it was handed in: named columns, each of cells of text or of typed values
reading        tables from files, read strictly: delimited text, plain or gzipped, and Parquet
decoding       from the bytes of a file to text in UTF-8
text           a column of text: its distinct words, and which one each cell holds
series_text    a column of text as polars holds it
cells          what a cell of text says besides numbers and dates: nothing, yes or no, a word
number_format  decimal marks and marks of thousands
dates          dates as days since 1970-01-01: what is one, and which of day and month comes first
date_columns   the one style in which all dates of a column are read
column_warnings  what else a column may mean
frames         tables from data frames of any library that narwhals knows
encoding       what each column holds, and how it and its missing values become inputs
targets        what is to be predicted: numbers, or one of several classes
scaling        scaling that belongs to the model: from the user's units to the network's, and back
"""
