"""The installed plugin."""

from chimes import Registry

from {{ cookiecutter.__package }}.model import WeightedSum


def test_the_model_is_found_by_its_address(chimes_registry: Registry) -> None:
    address = "{{ cookiecutter.name }}:{{ cookiecutter.component }}"
    assert chimes_registry.get_class("model", address) is WeightedSum
