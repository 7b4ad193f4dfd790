// Builds DOM nodes. The page has no other way to make them: no HTML string is ever parsed, so text from a model stays text.

/** Attributes by name; `true` sets an empty attribute, `false` and `undefined` set none. */
export type Attributes = Readonly<Record<string, string | boolean | undefined>>;

/** Attribute names that would run or style from a string are refused: the page's policy forbids them anyway. */
const forbidden = /^(on|style$|srcdoc$)/;

function setAttributes(node: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (forbidden.test(name)) throw new Error(`attribute ${name} is not used on this page`);
    if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
}

/** An element with attributes and children; strings become text nodes. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  children: ReadonlyArray<Node | string> = [],
): HTMLElementTagNameMap[Tag] {
  const node = document.createElement(tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

/** Outlines on a 24 by 24 grid, drawn with round strokes. */
const outlines = {
  add: "M12 5v14M5 12h14",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M14 7a2 2 0 1 0 4 0a2 2 0 1 0-4 0M6 17a2 2 0 1 0 4 0a2 2 0 1 0-4 0",
  chevron: "M7 10l5 5l5-5",
  send: "M12 19V5M6 11l6-6l6 6",
  stop: "M8 8h8v8H8z",
  close: "M6 6l12 12M18 6L6 18",
  down: "M12 5v14M6 13l6 6l6-6",
  check: "M5 13l4.5 4.5L19 7",
  warning: "M12 4L2.5 20h19zM12 10v4.5M12 17.2v.3",
  device:
    "M4 6.5c0-1.4 3.6-2.5 8-2.5s8 1.1 8 2.5v11c0 1.4-3.6 2.5-8 2.5s-8-1.1-8-2.5zM4 6.5c0 1.4 3.6 2.5 8 2.5s8-1.1 8-2.5M4 12c0 1.4 3.6 2.5 8 2.5s8-1.1 8-2.5",
  file: "M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9zM13 3v6h6",
} as const;

export type IconName = keyof typeof outlines;

/** A decorative icon; the control around it carries the name. */
export function icon(name: IconName): SVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  setAttributes(svg, { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", outlines[name]);
  svg.append(path);
  return svg;
}

/** A button of type `button` that calls `onPress`. */
export function button(attributes: Attributes, children: ReadonlyArray<Node | string>, onPress: () => void): HTMLButtonElement {
  const node = element("button", { type: "button", ...attributes }, children);
  node.addEventListener("click", onPress);
  return node;
}

/** A progress bar; `share` 0 to 1, undefined while nobody can say. */
export function setProgress(bar: HTMLProgressElement, share: number | undefined): void {
  if (share === undefined) bar.removeAttribute("value");
  else bar.value = Math.min(1, Math.max(0, share));
}

/** A modal sheet with a title and a way out; a press beside it closes it too. */
export function dialog(attributes: Attributes & { readonly id: string }, title: HTMLElement): HTMLDialogElement {
  const { id, ...rest } = attributes;
  title.id = `${id}-title`;
  const root = element("dialog", { id, "aria-labelledby": title.id, ...rest }, [
    element("header", {}, [title, button({ class: "quiet square", "aria-label": "Close" }, [icon("close")], () => root.close())]),
  ]);
  // A press on the backdrop lands on the dialog itself.
  root.addEventListener("click", (event) => {
    if (event.target === root) root.close();
  });
  return root;
}
