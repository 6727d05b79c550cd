"""What click itself says, in the user's language: its sentences for our catalogue, and the way it finds them.

click asks gettext's own domain, by the same variables of the environment as we do (`speech.texts`).
"""

import gettext

from sekisho.cli import speech
from sekisho.model.phrase import phrase, phrases
from sekisho.store.texts import FOLDER

DOMAIN = "sekisho"

SENTENCES = (
    phrase("Usage:"),
    phrase("Options"),
    phrase("Commands"),
    phrase("Positional arguments"),
    phrase("Show this message and exit."),
    phrase("Show the version and exit."),
    phrase("default: {default}"),
    phrase("required"),
    phrase("Try '{command} {option}' for help."),
    phrase("Error: {message}"),
    phrase("Error: invalid input"),
    phrase("Error: The two entered values do not match."),
    phrase("Aborted!"),
    phrase("Missing command."),
    phrase("Missing argument"),
    phrase("Missing option"),
    phrase("Missing parameter"),
    phrase("Choose from:\n\t{choices}"),
    phrase("No such option {name!r}."),
    phrase("No such command {name!r}."),
    phrases("Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", 1),
    phrases("Got unexpected extra argument ({args})", "Got unexpected extra arguments ({args})", 1),
    phrases("Option {name!r} requires an argument.", "Option {name!r} requires {nargs} arguments.", 1),
    phrase("Option {name!r} does not take a value."),
    phrase("Invalid value: {message}"),
    phrase("Invalid value for {param_hint}: {message}"),
    phrases("{value!r} is not {choice}.", "{value!r} is not one of {choices}.", 1),
    phrases(
        "{value!r} does not match the format {format}.", "{value!r} does not match the formats {formats}.", 1
    ),
    phrase("{value!r} is not a valid {number_type}."),
    phrase("{value} is not in the range {range}."),
    phrase("{name} {filename!r} does not exist."),
    phrase("{name} {filename!r} is a file."),
    phrase("{name} {filename!r} is a directory."),
    phrase("{name} {filename!r} is not readable."),
    phrase("file"),
    phrase("directory"),
    phrase("path"),
)
"""Those that our commands can come to; any other is said in English."""


def speak() -> None:
    if speech.texts().language != "en":
        gettext.bindtextdomain(DOMAIN, str(FOLDER))
        gettext.textdomain(DOMAIN)
