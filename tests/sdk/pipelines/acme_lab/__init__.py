"""A real plugin for the tests of the runtime: a source of numbers, a model that scores them, a bench to run on."""
