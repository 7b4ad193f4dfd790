// Shows a load under way: what is done, how far it is, how fast, and a way out.

import type { LoadProgress } from "../index.ts";
import { button, element, setProgress } from "./dom.ts";
import { formatBytes, formatDuration, formatShare } from "./figures.ts";

export interface LoadView {
  readonly root: HTMLElement;
  /** `local`: of this computer, or stored. */
  readonly start: (name: string, local: boolean) => void;
  readonly show: (progress: LoadProgress) => void;
  readonly end: () => void;
}

/** Below this many seconds nobody wants to hear how long it takes. */
const shortWait = 3;

/** `1.2 MB of 3.9 MB · 12 MB/s · 25 s left · chats will take 41.0 MB per 1,000 tokens (f16)`; empty while there is nothing to count. */
export function bytesLine({ loaded, total, bytesPerSecond, fromCache, kv }: LoadProgress): string {
  if (total <= 0 && loaded <= 0) return "";
  const parts = [total > 0 ? `${formatBytes(loaded)} of ${formatBytes(total)}` : formatBytes(loaded)];
  if (bytesPerSecond > 0 && loaded < total) {
    parts.push(`${formatBytes(bytesPerSecond)}/s`);
    const seconds = (total - loaded) / bytesPerSecond;
    if (seconds >= shortWait) parts.push(`${formatDuration(seconds)} left`);
  }
  if (fromCache) parts.push("from this device");
  if (kv) parts.push(`chats will take ${formatBytes(kv.bytesPerThousandTokens)} per 1,000 tokens (${kv.type})`);
  return parts.join(" · ");
}

/** Where the bytes come from: `local` for files of this computer and stored models, else whether there is a connection. */
export type Connection = "local" | "online" | "offline";

/** What is being done, with the other tab's progress while this one waits for it. */
export function phaseLine({ phase, text, loaded, total, fromCache }: LoadProgress, connection: Connection): string {
  if (phase === "wait") return total > 0 ? `${text}: ${formatShare(loaded / total)}` : text;
  // What is on this device needs no connection.
  const fetching = connection !== "local" && !fromCache && (total === 0 || loaded < total);
  if (!fetching || !["open", "header", "weights"].includes(phase)) return text;
  const doing = phase === "weights" ? "Downloading" : text;
  return connection === "offline" ? `${doing}; waiting for a connection` : doing;
}

/** 0 to 1; undefined while nobody can say. */
export function barValue({ phase, progress, loaded, total }: LoadProgress): number | undefined {
  if (phase === "wait") return total > 0 ? Math.min(1, loaded / total) : undefined;
  // The whole file is hashed in one go at the end.
  return phase === "finish" ? undefined : Math.min(1, Math.max(0, progress));
}

export function createLoadView(onCancel: () => void): LoadView {
  const phase = element("span", { class: "load-phase" });
  const bytes = element("span", { class: "load-bytes" });
  const bar = element("progress", { max: "1", "aria-label": "Loading the model" });
  const cancel = button({ class: "quiet small" }, ["Cancel"], onCancel);
  const root = element("section", { class: "load", "aria-label": "Loading", hidden: true }, [
    element("div", { class: "load-line" }, [element("div", {}, [phase, bytes]), cancel]),
    bar,
  ]);
  let latest: LoadProgress | undefined;
  let local = false;
  const draw = (): void => {
    if (!latest) return;
    phase.textContent = phaseLine(latest, local ? "local" : navigator.onLine ? "online" : "offline");
    bytes.textContent = latest.phase === "finish" ? "" : bytesLine(latest);
    setProgress(bar, barValue(latest));
    latest = undefined;
  };
  return {
    root,
    start(name, isLocal) {
      local = isLocal;
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
