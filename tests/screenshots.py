"""Pictures of the page for the README: a foreman's call in the demo company, light and dark.

`python -m tests.screenshots` writes them into docs/images.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from local.company.demo import demo_company
from tests.e2e.browser import chromium, tab_of
from tests.e2e.http_rig import Api
from tests.e2e.rig import START, Rig

if TYPE_CHECKING:
    from playwright._impl._api_structures import FloatRect

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTH, HEIGHT, SHOWN = 900, 1400, 600
"""Pixels: of the window, and how much of the answer is shown."""

NAME, KEY = "amos estopinal", "10029"


def main() -> None:
    """Look somebody up who is refused, and take what there is to see."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder), demo_company(START.date(), employees=120), limit=6000)
        rig.run(cause="schedule")
        rig.clock.advance(600)
        with chromium() as browser:
            for scheme in ("light", "dark"):
                size = {"width": WIDTH, "height": HEIGHT}
                with tab_of(Api(rig), browser, viewport=size, color_scheme=scheme) as tab:
                    section = tab.section("Look a record up")
                    section.get_by_label("Key or name").fill(NAME)
                    tab.page.keyboard.press("Enter")
                    section.get_by_role("button", name=KEY).click()
                    tab.page.locator("#record-heading").wait_for()
                    tab.page.locator("details", has_text="Field by field").wait_for()
                    tab.page.evaluate("scrollTo(0, 0)")  # what a picture leaves out is told from the top
                    box = section.bounding_box()
                    assert box is not None
                    shown: FloatRect = {**box, "height": SHOWN}
                    tab.page.screenshot(
                        path=IMAGES / f"foremans-call-{scheme}.png", clip=shown, full_page=True
                    )
        rig.close()


if __name__ == "__main__":
    main()
