"""What is read of a page that is open in a browser, whichever it is: its look, its letters, its layout, its targets."""

from typing import Any

from playwright.sync_api import Browser, Page

from tests.browser import open_page
from tests.stage import ready

# Notes the smallest text that each canvas has last painted, in CSS pixels: what is drawn within 50 ms is one painting.
WATCH_CANVASES = """() => {
    const write = CanvasRenderingContext2D.prototype.fillText;
    globalThis.written = new Map();
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        const { a, b } = this.getTransform(), now = performance.now(), before = written.get(this.canvas);
        const scale = Math.hypot(a, b) * (this.canvas.clientWidth || 1) / (this.canvas.width || 1);
        const size = scale * parseFloat(/([\\d.]+)px/.exec(this.font)[1]);
        const isSame = before && now - before.at < 50;
        written.set(this.canvas, { at: now, text, size: isSame ? Math.min(size, before.size) : size });
        return write.call(this, text, ...rest);
    };
}"""
# Every visible text smaller than so many pixels, on the page, in charts and on canvases.
SMALLER_THAN = """least => {
    const found = [];
    const isSeen = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
        && node.getBoundingClientRect().width > 1 && !node.closest(".aloud, .spoken, [data-testid=stSidebar]");
    const walk = (root) => {
        for (const node of root.querySelectorAll("*")) {
            if (node.shadowRoot) walk(node.shadowRoot);
            const text = [...node.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join("");
            if (text.trim() && !node.matches("style, script, title") && isSeen(node)) {
                const size = parseFloat(getComputedStyle(node).fontSize);
                if (size < least - 0.01) found.push([size, node.tagName, text.trim().slice(0, 40)]);
            }
            const { size, text: label } = globalThis.written.get(node) ?? { size: Infinity };
            if (size < least - 0.05 && isSeen(node)) found.push([size, "canvas", label]);
        }
    };
    walk(document);
    return found;
}"""
CUT = """() => [...document.querySelectorAll('[data-testid="stVerticalBlock"], .stMain')].filter(
    (node) => node.scrollWidth - node.clientWidth > 1 && getComputedStyle(node).overflowX !== "visible"
).map((node) => node.className)"""
# What is wrong with the page as it is laid out: letters that are too small, what sticks out, and what is cut off.
FAULTS = """() => {
    const faults = [], wide = document.documentElement.clientWidth;
    const main = document.querySelector('.stMain');
    const scrolls = (element) => {
        if (!element || element === main) return false;
        const { overflowX } = getComputedStyle(element);
        return ['auto', 'scroll'].includes(overflowX) || scrolls(element.parentElement);
    };
    if (main.scrollWidth > main.clientWidth) faults.push(`the page scrolls to ${main.scrollWidth}`);
    const look = (root) => {
        for (const element of root.querySelectorAll('*')) {
            if (element.shadowRoot) look(element.shadowRoot);
            const style = getComputedStyle(element), box = element.getBoundingClientRect();
            const isSeen = style.visibility !== 'hidden' && box.width > 2 && box.height > 2;
            const own = [...element.childNodes].filter((node) => node.nodeType === 3);
            const text = own.map((node) => node.data).join('');
            if (!isSeen || !text.trim() || element.closest('.katex, .tokens')) continue;
            if (parseFloat(style.fontSize) < 12) faults.push(`${style.fontSize}: ${text}`);
            const svg = element.closest('svg.marks')?.getBoundingClientRect();
            if (svg && (box.right > svg.right + 1 || box.left < svg.left - 1)) faults.push(`cut off: ${text}`);
            if (box.right > wide + 1 && !scrolls(element)) faults.push(`sticks out to ${box.right}: ${text}`);
        }
    };
    look(main);
    return faults;
}"""
# Texts of the first chart that lie over one another.
OVERLAPS = """() => {
    const texts = [...document.querySelector('[data-testid=stVegaLiteChart] svg').querySelectorAll('text')]
        .map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, { width }]) => width);
    const lies = ([, a], [, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
    const below = (one, at) => texts.slice(0, at).filter((two) => lies(one, two)).map((two) => [one[0], two[0]]);
    return texts.flatMap(below);
}"""
# What is pressed, dragged or typed in and takes less than 24 x 24 pixels, with what its `::after` adds to it; and the
# fields whose letters are smaller than 16. A switch is pressed by its label, a slider dragged by its thumb; what only
# Tab brings into view, and the tokens, which are a line of text, do not count.
TOO_SMALL = """() => {
    const all = (root) =>
        [...root.querySelectorAll("*")].flatMap((node) => [node, ...(node.shadowRoot ? all(node.shadowRoot) : [])]);
    const pressed = 'button, a[href], input, select, textarea, summary, [role=button], [role=tab], [role=radio], '
        + '[tabindex="0"], label:has(input), div:has(> [data-testid="stSliderThumbValue"])';
    const size = (node) => {
        const box = node.getBoundingClientRect(), after = getComputedStyle(node, "::after");
        const grows = after.position === "absolute" && after.content !== "none" ? 1 : 0;
        const sum = (...sides) => grows * sides.reduce((total, side) => total - (parseFloat(after[side]) || 0), 0);
        return [box.width + sum("left", "right"), box.height + sum("top", "bottom")];
    };
    const other = "[data-testid=stSkipToContent], .tokens *, label input[type=checkbox], [data-testid=stSlider] input";
    const found = all(document).filter((node) =>
        node.matches(pressed) && !node.matches(other) && node.checkVisibility({ visibilityProperty: true }));
    const small = found.filter((node) => size(node).some((side) => side > 0 && side < 24));
    const typed = "input:not([type=range], [type=checkbox], [type=radio], [type=file]), select, textarea";
    const fine = matchMedia("(max-width: 640px)").matches
        ? found.filter((node) => node.matches(typed) && parseFloat(getComputedStyle(node).fontSize) < 16) : [];
    return [...small, ...fine].map((node) => [node.outerHTML.slice(0, 120), ...size(node)]);
}"""
# All that has colours: the charts' own, the pixels of every canvas, and the addresses of the pictures and the logo.
LOOK = """() => {
    const every = (root) => [...root.querySelectorAll("*")].flatMap((node) => (
        node.shadowRoot ? [node, ...every(node.shadowRoot)] : [node]
    ));
    const nodes = every(document), named = (name) => nodes.filter((node) => node.localName === name);
    const colours = (chart) => [...chart.querySelectorAll("svg *")].flatMap((node) => (
        ["fill", "stroke"].map((name) => node.getAttribute(name) ?? "").filter((value) => /^(#|rgb)/.test(value))
    ));
    return {
        charts: nodes.filter((node) => node.dataset.testid === "stVegaLiteChart")
            .map((chart) => [...new Set(colours(chart))].sort().join(" ")),
        canvases: named("canvas").map((canvas) => canvas.toDataURL()),
        pictures: named("img").map((image) => image.getAttribute("src")),
        paper: getComputedStyle(document.querySelector(".stApp")).backgroundColor,
    };
}"""
IS_LIKE = f"(wanted) => JSON.stringify(({LOOK})()) === JSON.stringify(wanted)"


def watched(opened: Browser, url: str, width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
    """A fresh visitor whose canvases and console are watched, the bundled model ready; `page.told` is the console."""
    page = open_page(opened, "about:blank", width, height, scheme)
    page.told = told = []  # type: ignore[attr-defined]
    page.on("console", lambda message: told.append(message.text) if message.type in {"warning", "error"} else None)
    page.add_init_script(f"({WATCH_CANVASES})()")
    page.goto(url)
    ready(page)
    return page


def wait_for_look(page: Page, wanted: dict[str, Any], seconds: float = 40) -> None:
    """Return once a page has these colours in every chart, canvas and picture."""
    page.wait_for_function(IS_LIKE, arg=wanted, timeout=1000 * seconds, polling=200)


def too_small_to_read(page: Page, least: float) -> list[list[Any]]:
    """The texts of a watched page that are smaller than so many pixels, each with its size and what holds it."""
    return page.evaluate(SMALLER_THAN, least)
