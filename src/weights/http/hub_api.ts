// What a model hub says of a file beside its bytes: the commit behind a branch, and the file's sha256. Pages cannot see the headers of a
// redirect, so the hub's API is asked. Everything here is advice: hostile until checked, and no load fails for want of it.
// API as in huggingface_hub: GET /api/models/{repo}/revision/{revision}, POST /api/models/{repo}/paths-info/{revision}.

import { hubApiUrl, hubHeaders } from "./hub.ts";
import type { HubFile, HubOptions } from "./hub.ts";

export interface HubFacts {
  /** 40 hex digits. */
  readonly commit?: string | undefined;
  /** 64 hex digits. */
  readonly sha256?: string | undefined;
  readonly size?: number | undefined;
}

export interface AskOptions {
  readonly fetch?: typeof fetch | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds for all of it; 5,000. */
  readonly timeoutMs?: number | undefined;
}

/** Answers are small; a repository of thousands of files lists them all. */
const largestAnswer = 4 << 20;

/** What the hub says within the time, nothing at all when it does not. Its own failures are no errors. */
export async function askHub(file: HubFile, hub: HubOptions, options: AskOptions = {}): Promise<HubFacts> {
  const late = AbortSignal.timeout(options.timeoutMs ?? 5000);
  const signal = options.signal === undefined ? late : AbortSignal.any([late, options.signal]);
  const ask = async (call: string, init: RequestInit = {}): Promise<unknown> => {
    const url = hubApiUrl(file, call, hub);
    const send = options.fetch ?? ((...sent): Promise<Response> => fetch(...sent));
    const headers = { ...hubHeaders(url, hub), ...(init.body === undefined ? {} : { "content-type": "application/json" }) };
    return unlessLate(send(url, { ...init, headers, signal, cache: "no-store" }).then(readJson), signal);
  };
  const commit = isCommit(file.revision)
    ? file.revision
    : await ask(`revision/${encodeURIComponent(file.revision)}`).then(commitOf, nothing);
  // Asked of the commit, so that both answers are about the same version.
  const body = JSON.stringify({ paths: [file.path] });
  const listed = ask(`paths-info/${encodeURIComponent(commit ?? file.revision)}`, { method: "POST", body });
  return { commit, ...(await listed.then((answer) => entryOf(answer, file.path), nothing)) };
}

/** A fetch that ignores its signal must not hold up the load. */
function unlessLate<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = (): void => reject(new Error("late"));
    if (signal.aborted) stop();
    signal.addEventListener("abort", stop, { once: true });
    void answer.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

async function readJson(response: Response): Promise<unknown> {
  const reader = response.ok ? response.body?.getReader() : undefined;
  if (reader === undefined) {
    await response.body?.cancel();
    return undefined;
  }
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return JSON.parse(text + decoder.decode());
    text += decoder.decode(value, { stream: true });
    if (text.length <= largestAnswer) continue;
    await reader.cancel();
    return undefined;
  }
}

function commitOf(answer: unknown): string | undefined {
  const sha = field(answer, "sha");
  return typeof sha === "string" && isCommit(sha) ? sha : undefined;
}

function entryOf(answer: unknown, path: string): Omit<HubFacts, "commit"> {
  const entry: unknown = Array.isArray(answer) ? answer.find((one) => field(one, "path") === path) : undefined;
  const size = field(entry, "size");
  const oid = field(field(entry, "lfs"), "oid");
  const sha256 = typeof oid === "string" ? /^(?:sha256:)?([0-9a-f]{64})$/.exec(oid)?.[1] : undefined;
  return { size: typeof size === "number" && Number.isSafeInteger(size) && size >= 0 ? size : undefined, sha256 };
}

function field(value: unknown, key: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined;
}

function isCommit(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

function nothing(): undefined {
  return undefined;
}
