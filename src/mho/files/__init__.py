"""The one way in which mho reads files back and writes them.

What is written appears whole or not at all, and carries a digest where mho reads it back; what is
read is bounded, and refused in one sentence if it is damaged or not what it should be.
`mho.files.archive`, for files of torch, is imported by itself, as torch takes seconds to load.
"""

from mho.files.cache import user_cache
from mho.files.documents import (
    flat,
    parse_json,
    parse_toml,
    read_json,
    read_toml,
    text_of_json,
    write_json,
)
from mho.files.lock import Taken, is_alive, only_writer
from mho.files.output import check_output
from mho.files.reading import read_bytes, read_text
from mho.files.sums import check_sums, sums_of
from mho.files.writing import (
    clear_leftovers,
    encoded,
    naming,
    replacing,
    write_bytes,
    write_files,
    write_text,
)

__all__ = [
    "Taken",
    "check_output",
    "check_sums",
    "clear_leftovers",
    "encoded",
    "flat",
    "is_alive",
    "naming",
    "only_writer",
    "parse_json",
    "parse_toml",
    "read_bytes",
    "read_json",
    "read_text",
    "read_toml",
    "replacing",
    "sums_of",
    "text_of_json",
    "user_cache",
    "write_bytes",
    "write_files",
    "write_json",
    "write_text",
]
