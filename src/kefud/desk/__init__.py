"""The part that thinks and does nothing else: words of the domain as frozen values, rules of time and state as pure functions."""
