// A bar of GPU memory: what a model takes, in its parts, against what the GPU gave.

import { element } from "./dom.ts";
import { formatBytes } from "./figures.ts";
import type { VerdictMemory } from "./verdict_text.ts";

/** The bar and its legend. Widths are shares of whatever is longer, the need or what was given. */
export function createMemoryBar({ text, parts, given }: VerdictMemory): HTMLElement {
  const need = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const whole = Math.max(need, given ?? 0);
  const share = (bytes: number): string => `${whole === 0 ? 0 : (bytes / whole) * 100}%`;
  const pieces = parts.map(({ kind, bytes }) => {
    const piece = element("span", { class: `memory-part ${kind}` });
    piece.style.width = share(bytes);
    return piece;
  });
  const bar = element("div", { class: "memory-bar", role: "img", "aria-label": text }, pieces);
  if (given !== undefined && given < need) {
    // Beyond this line there is no memory; what is streamed need not be there all at once.
    const streamed = parts.some(({ kind }) => kind === "streamed");
    const edge = element("span", { class: streamed ? "memory-edge calm" : "memory-edge" });
    edge.style.left = share(given);
    bar.append(edge);
  }
  const legend = parts.map(({ kind, label, bytes }) =>
    element("li", {}, [element("span", { class: `memory-key ${kind}` }), `${label} ${formatBytes(bytes)}`]),
  );
  return element("div", { class: "memory" }, [bar, element("p", {}, [text]), element("ul", { class: "memory-legend" }, legend)]);
}
