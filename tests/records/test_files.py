"""Committed records."""

from multistage.records import files
from multistage.settings import composition


def test_settings_that_name_a_run_have_the_defaults_of_the_configuration():
    config = composition.plan([]).config
    assert {key: config[key] for key in files.SETTINGS} == files.SETTINGS
