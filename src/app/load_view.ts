// Shows a load under way: what is done, how far it is, how fast, and a way out.

import type { LoadProgress } from "../index.ts";
import { button, element } from "./dom.ts";
import { formatBytes } from "./figures.ts";

export interface LoadView {
  readonly root: HTMLElement;
  readonly start: (name: string) => void;
  readonly show: (progress: LoadProgress) => void;
  readonly end: () => void;
}

/** `1.2 MB of 3.9 MB · 12 MB/s`; empty while there is nothing to count. */
export function bytesLine({ loaded, total, bytesPerSecond, fromCache }: LoadProgress): string {
  if (total <= 0 && loaded <= 0) return "";
  const amount = total > 0 ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded);
  const speed = bytesPerSecond > 0 && loaded < total ? ` · ${formatBytes(bytesPerSecond)}/s` : "";
  return `${amount}${speed}${fromCache ? " · from this browser's storage" : ""}`;
}

export function createLoadView(onCancel: () => void): LoadView {
  const phase = element("span", { class: "load-phase" });
  const bytes = element("span", { class: "load-bytes" });
  const bar = element("progress", { max: "1", "aria-label": "Loading the model" });
  const cancel = button({ class: "quiet small" }, ["Cancel"], onCancel);
  const root = element("section", { class: "load", "aria-label": "Loading", hidden: true }, [
    element("div", { class: "load-line" }, [phase, bytes, cancel]),
    bar,
  ]);
  let latest: LoadProgress | undefined;
  const draw = (): void => {
    if (!latest) return;
    phase.textContent = latest.text;
    bytes.textContent = bytesLine(latest);
    bar.value = Math.min(1, Math.max(0, latest.progress));
    latest = undefined;
  };
  return {
    root,
    start(name) {
      latest = undefined;
      root.hidden = false;
      phase.textContent = `Opening ${name}`;
      bytes.textContent = "";
      bar.removeAttribute("value");
    },
    show(progress) {
      // Reports may come faster than frames.
      if (latest === undefined) requestAnimationFrame(draw);
      latest = progress;
    },
    end() {
      latest = undefined;
      root.hidden = true;
    },
  };
}
