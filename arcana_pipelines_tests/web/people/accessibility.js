// What a page lacks for people who do not see it, or use no mouse: a list of sentences. Rules of WCAG 2.2 that a program can
// look at; `axe-core` looks at more where AXE_CORE names its file.
(() => {
  const found = [];
  const told = (element) => element.outerHTML.slice(0, 120);
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true }) && element.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(isShown);

  // Names and landmarks.
  if (!document.documentElement.lang) found.push("the page says no language");
  if (!document.title.trim()) found.push("the page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("there is not one main");
  const ids = [...document.querySelectorAll("[id]")].map((each) => each.id);
  for (const id of new Set(ids.filter((id, at) => ids.indexOf(id) !== at))) found.push(`two have the id ${id}`);
  for (const each of all("input:not([type=hidden]), select, textarea"))
    if (!each.labels.length && !each.ariaLabel) found.push(`no label: ${told(each)}`);
  for (const each of all("a[href], button, summary"))
    if (!each.textContent.trim() && !each.ariaLabel) found.push(`no name: ${told(each)}`);
  for (const each of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const name of ["aria-describedby", "aria-labelledby"])
      for (const id of (each.getAttribute(name) || "").split(" ").filter(Boolean))
        if (!document.getElementById(id)) found.push(`${name} names nothing: ${told(each)}`);
  for (const nav of document.querySelectorAll("nav")) if (!nav.ariaLabel) found.push(`no name: ${told(nav)}`);

  // Headings: one first, none skipped.
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map((each) => Number(each.tagName[1]));
  if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) found.push(`headings: ${levels}`);
  levels.forEach((level, at) => {
    if (at && level > levels[at - 1] + 1) found.push(`a heading of level ${level} below one of ${levels[at - 1]}`);
  });

  // Contrast: 4.5 to 1, of large text 3 to 1.
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  for (const element of all("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (element.closest(".unseen, .skip, option")) continue;
    const style = getComputedStyle(element);
    const [one, other] = [light(style.color), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (other + 0.05);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (isLarge ? 3 : 4.5)) found.push(`contrast ${ratio.toFixed(2)}: ${told(element)}`);
  }

  // Nothing runs out of the window, and what is pressed is large enough (24 by 24 pixels, or in a line of text).
  if (document.documentElement.scrollWidth > innerWidth) found.push(`the page is ${document.documentElement.scrollWidth} wide`);
  for (const each of all("button, input:not([type=hidden]), select, summary")) {
    const { width, height } = each.getBoundingClientRect();
    if (width < 24 || height < 24) found.push(`only ${width} by ${height}: ${told(each)}`);
  }
  if (all("[tabindex]").some((each) => each.tabIndex > 0)) found.push("an order of its own for the Tab key");
  return found;
})();
