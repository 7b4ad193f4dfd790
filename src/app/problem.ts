// Errors as the page shows them: a heading for each room of codes, the message with its advice, and what a person can do here.

import { formatBytes, formatCount } from "./figures.ts";

/** What an error banner needs; `ShaderloomError` has this shape, also after a trip through a worker. */
export interface Problem {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly detail: Readonly<Record<string, unknown>>;
}

const headings: ReadonlyMap<string, string> = new Map([
  ["FORMAT", "This file cannot be read"],
  ["INTEGRITY", "This file is damaged"],
  ["UNSUPPORTED", "This model is not supported"],
  ["MODEL", "This model cannot be used"],
  ["TOKENIZER", "This model's vocabulary cannot be used"],
  ["TEMPLATE", "This model's chat template failed"],
  ["LIMIT", "This is more than can be handled"],
  ["SOURCE", "The model cannot be opened"],
  ["NET", "The download failed"],
  ["QUOTA", "The browser's storage is full"],
  ["STORE", "The browser's storage failed"],
  ["SESSION", "The saved conversation cannot be used"],
  ["ENV", "WebGPU is not available here"],
  ["ENV.insecure", "This page needs a secure address"],
  ["SOURCE.changed", "The file has changed on the server"],
  ["SOURCE.denied", "Access was refused"],
  ["MODEL.shards", "Parts of this model are missing"],
  ["STORE.busy", "This model is in use"],
  ["STORE.missing", "This model is not stored here any more"],
  ["STORE.evicted", "The browser has deleted stored data"],
  ["STORE.blocked", "Another tab blocks the browser's storage"],
  ["GPU.unavailable", "WebGPU is not available here"],
  ["GPU.budget", "The limit for GPU memory is too low"],
  ["GPU", "The GPU failed"],
  ["CONTEXT", "The conversation has become too long"],
  ["REQUEST", "The request was refused"],
  ["BUSY", "The model is busy"],
  ["WORKER", "The engine stopped"],
]);

/** The room of a code: `GPU` of `GPU.oom`. */
function room(code: string): string {
  return code.split(".")[0];
}

export function headingOf(problem: Problem): string {
  return headings.get(problem.code) ?? headings.get(room(problem.code)) ?? "Something went wrong";
}

/** What is said of a problem: bytes of a limit are what one types into a setting here. */
export function textOf({ code, message, detail }: Pick<Problem, "code" | "message" | "detail">): string {
  const { need, have, max, param } = detail;
  if (code === "CONTEXT.full" && typeof have === "number" && typeof max === "number") {
    return (
      `The conversation has ${formatCount(have)} tokens, and there is room for ${formatCount(max)} with the answer. Start a new chat, ` +
      "shorten an earlier question, or choose in the settings that a chat which is too long forgets, and load the model again."
    );
  }
  if (param === "kv.evict.keep" && typeof max === "number") {
    return `This model holds ${formatCount(max)} tokens at most. Set tokens to remember to ${formatCount(max)} or less in the settings.`;
  }
  if (code !== "GPU.budget" || typeof need !== "number" || typeof have !== "number") return message;
  const gigabytes = Math.ceil(need / 1e6) / 1000;
  return (
    `With this much context it needs at least ${formatBytes(need)} of GPU memory, and the limit is ${formatBytes(have)}. ` +
    `Set GPU memory to ${gigabytes} GB or more in the settings, or leave it empty.`
  );
}

/** Anything thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string") {
    const detail = "detail" in thrown && typeof thrown.detail === "object" && thrown.detail !== null ? { ...thrown.detail } : {};
    return { code: thrown.code, message: thrown.message, retryable: "retryable" in thrown && thrown.retryable === true, detail };
  }
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { code: "PAGE", message: `${message} Reload the page; if it happens again, please report it.`, retryable: false, detail: {} };
}

export function isAbort(problem: Problem): boolean {
  return problem.code === "AbortError";
}

/** Whether the engine that threw this is gone and the model has to be loaded again. */
export function endsEngine(problem: Problem): boolean {
  return ["GPU.lost", "GPU.error"].includes(problem.code) || room(problem.code) === "WORKER";
}

export function isOutOfMemory(problem: Problem): boolean {
  return problem.code === "GPU.oom";
}

/** What the banner of a failed answer offers besides dismissing it. */
export function answerRemedy(problem: Problem): "reload" | "new chat" | "retry" {
  if (endsEngine(problem)) return "reload";
  // Memory runs out while the conversation grows, so a new one helps with both.
  return room(problem.code) === "CONTEXT" || isOutOfMemory(problem) ? "new chat" : "retry";
}

/**
 * What the banner of a failed load can offer. `retry`: load again; `choose`: pick another; `token`: give an access token; `room`: delete
 * stored models; `unstored`: load without storing; `verdict`: show what the model takes.
 */
export type LoadRemedy = "retry" | "choose" | "token" | "room" | "unstored" | "verdict";

export interface LabelledRemedy {
  readonly kind: LoadRemedy;
  readonly label: string;
}

const choose: LabelledRemedy = { kind: "choose", label: "Choose a model" };
const retry: LabelledRemedy = { kind: "retry", label: "Try again" };
const unstored: LabelledRemedy = { kind: "unstored", label: "Load without storing" };

const remediesByCode: ReadonlyMap<string, readonly LabelledRemedy[]> = new Map([
  ["ENV", [choose]],
  ["UNSUPPORTED", [choose]],
  ["MODEL.shards", [{ kind: "choose", label: "Choose the files" }]],
  ["GPU.oom", [{ kind: "verdict", label: "See what it takes" }, retry, choose]],
  ["GPU.budget", [{ kind: "verdict", label: "See what it takes" }, retry, choose]],
  ["INTEGRITY", [{ kind: "retry", label: "Download again" }, choose]],
  ["QUOTA", [{ kind: "room", label: "Make room" }, unstored, retry]],
  ["STORE", [retry, unstored, choose]],
  ["STORE.unavailable", [unstored, choose]],
  ["STORE.busy", [retry, choose]],
  ["STORE.missing", [choose]],
  ["STORE.evicted", [{ kind: "retry", label: "Download again" }, choose]],
  ["SOURCE.changed", [{ kind: "retry", label: "Load the new version" }, choose]],
]);

/**
 * What helps after a failed load, the likeliest first.
 *
 * @param remote whether the model is read from an address; what is stored or local cannot be loaded without it
 */
export function loadRemedies(problem: Problem, remote: boolean): readonly LabelledRemedy[] {
  // Refused by a server, or by the person who was asked for permission to read a file.
  if (problem.code === "SOURCE.denied")
    return remote ? [{ kind: "token", label: "Enter an access token" }, retry, choose] : [retry, choose];
  const listed = remediesByCode.get(problem.code) ?? remediesByCode.get(room(problem.code)) ?? [retry, choose];
  return remote ? listed : listed.filter(({ kind }) => kind !== "unstored");
}

/** Facts of an error, one line each. */
export function detailLines(problem: Problem): string[] {
  return Object.entries(problem.detail)
    .filter(([, value]) => value !== null && value !== undefined && value !== "")
    .map(([name, value]) => `${name}: ${Array.isArray(value) ? value.join(", ") : String(value)}`);
}
