"""Measurements of larp beside its peers; never part of the tests."""
