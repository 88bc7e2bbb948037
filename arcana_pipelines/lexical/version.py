"""The version of what words become: of tokens and weights. Another number makes new builds."""

LEXEMES_VERSION = 3
