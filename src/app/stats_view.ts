// The line under the composer: which model on which adapter, how much of its context is used, what it takes.

import type { EngineInfo, EngineStats, KernelReport, Usage } from "../index.ts";
import { element } from "./dom.ts";
import { formatBytes, formatCount, formatCountOf, formatMilliseconds, formatParameters, formatRate } from "./figures.ts";

export interface StatsView {
  readonly root: HTMLElement;
  readonly setModel: (info: EngineInfo | undefined) => void;
  /** Tokens of the context in use; 0 for a new chat. */
  readonly setContext: (used: number) => void;
  readonly setStats: (stats: EngineStats) => void;
}

/** `64 tokens · 41.2 tokens/s · prompt 310 tokens/s · first token 180 ms`. */
export function speedLine(usage: Usage): string {
  const cached = usage.prompt_tokens_details.cached_tokens;
  const parts = [
    `${formatCount(usage.completion_tokens)} tokens`,
    `${formatRate(usage.decode_tokens_per_second)} tokens/s`,
    `prompt ${formatCount(usage.prompt_tokens)}${cached > 0 ? ` (${formatCount(cached)} reused)` : ""} at ${formatRate(usage.prefill_tokens_per_second)} tokens/s`,
    ...(usage.kv && usage.kv.dropped_tokens > 0
      ? [`${formatCountOf(usage.kv.dropped_tokens, "token")} forgotten (${usage.kv.policy})`]
      : []),
    `first token ${formatMilliseconds(usage.time_to_first_token_ms)}`,
  ];
  return parts.join(" · ");
}

/** The adapter as people know it. */
export function adapterName({ description, vendor, architecture, deviceClass }: EngineInfo["adapter"]): string {
  const name = description || [vendor, architecture].filter((part) => part !== "").join(" ") || "unnamed adapter";
  return deviceClass === "cpu" ? `${name}, on the CPU` : name;
}

function counted(what: string, number: number): string[] {
  return number > 0 ? [`${formatCount(number)} ${what}`] : [];
}

/** `41 checked, 3 chosen by a race, 1 dropped`; with what was dropped and why as its title. */
export function kernelsLine({ chosen, dropped }: KernelReport): { readonly text: string; readonly title: string } {
  const raced = chosen.filter(({ how }) => how === "raced" || how === "stored").length;
  const unchecked = chosen.filter(({ checked }) => !checked).length;
  const parts = [
    ...counted("checked", chosen.length - unchecked),
    ...counted("not checked", unchecked),
    ...counted("chosen by a race", raced),
    ...counted("dropped", dropped.length),
  ];
  return { text: parts.join(", "), title: dropped.map(({ variant, reason }) => `${variant}: ${reason}`).join("\n") };
}

/** `29 dispatches a token, 4 tokens in flight`; with what was joined as its title. */
export function decodeLine({ dispatches, tokensInFlight, fusion }: Pick<EngineStats, "dispatches" | "tokensInFlight" | "fusion">): {
  readonly text: string;
  readonly title: string;
} {
  const text = `${formatCount(dispatches.decode)} dispatches a token, ${formatCountOf(tokensInFlight, "token")} in flight`;
  return { text, title: fusion.decode.length > 0 ? `Joined: ${fusion.decode.join(", ")}` : "" };
}

/** `f16, 41.0 MB per 1,000 tokens, 12 of 48 pages used, 9 kept`; with what pages are as its title. */
export function kvLine({ used, capacity, cached, type, pageTokens, bytesPerThousandTokens }: EngineStats["kvPages"]): {
  readonly text: string;
  readonly title: string;
} {
  const parts = [
    `${type}, ${formatBytes(bytesPerThousandTokens)} per 1,000 tokens`,
    `${formatCount(used)} of ${formatCountOf(capacity, "page")} used`,
    ...(cached > 0 ? [`${formatCount(cached)} kept for chats that begin alike`] : []),
  ];
  return { text: parts.join(", "), title: `Keys and values in pages of ${formatCount(pageTokens)} tokens` };
}

function fact(label: string): { readonly root: HTMLElement; readonly value: HTMLElement } {
  const value = element("dd");
  return { value, root: element("div", { class: "fact", hidden: true }, [element("dt", {}, [label]), value]) };
}

export function createStatsView(): StatsView {
  const facts = {
    model: fact("Model"),
    adapter: fact("Adapter"),
    context: fact("Context"),
    memory: fact("GPU memory"),
    kv: fact("Chat memory"),
    decode: fact("Decode"),
    kernels: fact("Kernels"),
  };
  let contextLength = 0;
  const show = (key: keyof typeof facts, text: string, title = ""): void => {
    facts[key].value.textContent = text;
    facts[key].root.hidden = text === "";
    facts[key].root.title = title;
  };
  const root = element(
    "dl",
    { class: "stats" },
    Object.values(facts).map((entry) => entry.root),
  );
  return {
    root,
    setModel(info) {
      contextLength = info?.contextLength ?? 0;
      show("model", info ? `${info.model.architecture}, ${formatParameters(info.model.parameters)} parameters` : "");
      show("adapter", info ? adapterName(info.adapter) : "");
      show("context", info ? `0 of ${formatCount(contextLength)}` : "");
      for (const key of ["memory", "kv", "decode", "kernels"] as const) show(key, "");
    },
    setContext(used) {
      if (contextLength > 0) show("context", `${formatCount(used)} of ${formatCount(contextLength)}`);
    },
    setStats(stats) {
      show("memory", formatBytes(stats.gpuBytes.total));
      const lines = { kv: kvLine(stats.kvPages), decode: decodeLine(stats), kernels: kernelsLine(stats.kernels) };
      for (const key of ["kv", "decode", "kernels"] as const) show(key, lines[key].text, lines[key].title);
    },
  };
}
