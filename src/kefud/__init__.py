"""kefud: mail and ticket daemon for the customer-service centre of a housing estate."""

__version__ = "0.1.0"
