// News of downloads between tabs: the one that downloads says how far it is, those that wait for the same address listen. What
// arrives is checked like any input, since every script of the origin can speak on the channel.

import type { DownloadNews } from "./model_store.ts";

export interface NewsChannel {
  tell(url: string, news: DownloadNews): void;
  /** @returns a function that stops listening */
  listen(url: string, onNews: (news: DownloadNews) => void): () => void;
  close(): void;
}

/** @param name channels of one name hear each other, in this process and in all tabs of the origin */
export function openNews(name: string): NewsChannel {
  let speaker: BroadcastChannel | undefined;
  return {
    tell: (url, { loaded, total, bytesPerSecond }) => {
      speaker ??= openChannel(name);
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- the channel of an origin has no target
      speaker?.postMessage({ kind: "download", url, loaded, total, bytesPerSecond });
    },
    listen: (url, onNews) => {
      // A channel of its own: the speaker does not hear itself, and two loads of one tab may wait for each other.
      const listener = openChannel(name);
      listener?.addEventListener("message", ({ data }: MessageEvent<unknown>) => {
        const news = readNews(data, url);
        if (news !== undefined) onNews(news);
      });
      return () => listener?.close();
    },
    close: () => {
      speaker?.close();
      speaker = undefined;
    },
  };
}

/** @returns undefined for what is no news of this address */
export function readNews(message: unknown, url: string): DownloadNews | undefined {
  if (typeof message !== "object" || message === null) return undefined;
  const { kind, url: other, loaded, total, bytesPerSecond }: { readonly [field in string]?: unknown } = { ...message };
  if (kind !== "download" || other !== url) return undefined;
  if (!isAmount(loaded) || !isAmount(total) || !isAmount(bytesPerSecond) || loaded > total) return undefined;
  return { loaded, total, bytesPerSecond };
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

function openChannel(name: string): BroadcastChannel | undefined {
  if (typeof BroadcastChannel === "undefined") return undefined;
  const channel = new BroadcastChannel(name);
  // Node would otherwise not end while a channel is open.
  if ("unref" in channel && typeof channel.unref === "function") channel.unref();
  return channel;
}
