"""Every error this package raises on purpose, as one small tree.

ChainruleError
├── ConfigurationError   an option, a layer width or a name that does not exist
├── DataError            a table, an array or a value that cannot be used as it is
│   └── WriteError       a file that could not be written
├── ModelFileError       a model file that is damaged, foreign or too new
└── TrainingError        training that produced no usable network

Each message says what was wrong, the value, the rule, and the fix.
"""


class ChainruleError(Exception):
    """Base of every error raised on purpose by chainrule."""


class ConfigurationError(ChainruleError, ValueError):
    """An option, a layer width or a name that does not exist."""


class DataError(ChainruleError, ValueError):
    """A table, an array or a value that cannot be used as it is."""


class WriteError(DataError):
    """A file that could not be written."""


class ModelFileError(ChainruleError):
    """A model file that is damaged, foreign or too new to read."""


class ChainruleWarning(UserWarning):
    """Something that did not go as it should, though nothing is lost."""


class TrainingError(ChainruleError, RuntimeError):
    """Training that produced no usable network.

    Attributes
    ----------
    reason : str
        The name of the Termination that ended it, if there was one.
    """

    reason = ""
