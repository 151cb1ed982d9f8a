"""The shipped plugins, imported and once put to use: the nursery of the tests loads this, so that each child of a hundred offices need not."""

from pathlib import Path
from tempfile import TemporaryDirectory

from kefud import loader
from kefud.shipped import shipped
from kefud.testing import site

with TemporaryDirectory() as _home:
    _facts = site(Path(_home))
    for _found in loader.find([shipped("plugins")]).values():
        loader.load(_found)
        loader.collect(_found, "register_rules", _facts)
