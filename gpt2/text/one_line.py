"""What the command line says in one line, a refusal of its arguments too."""

import argparse
from typing import NoReturn


class Parser(argparse.ArgumentParser):
    """Like argparse's, but an error is one line on standard error."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and how to get help; exit status 2."""
        self.exit(2, f"{one_line(f'{self.prog}: {message} (see {self.prog} --help)')}\n")


def one_line(sentence: str) -> str:
    """A sentence that may quote a name with line breaks, without them."""
    return " ".join(sentence.split())
