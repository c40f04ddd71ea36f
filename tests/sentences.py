"""What a page says, as a person reads it."""

import re

from playwright.sync_api import Page, expect

from pages.look.tokens import unmarked


def reads(page: Page, sentence: str) -> None:
    """Fail unless the page says this; a token's chip may have blanks around it."""
    words = r"\s*".join(map(re.escape, unmarked(sentence).split()))
    expect(page.locator("body")).to_have_text(re.compile(words))
