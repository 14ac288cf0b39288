"""The command line: declare options, call one function, render one result."""
