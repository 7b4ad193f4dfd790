// What is said of a conversation beside its pages: what it was computed with, its tokens, and how many of them have keys and values. Compares
// it with the engine that is to go on from it, and names records. Everything read from a store or a file is checked here.

import { ShaderloomError } from "../base/errors.ts";
import { sha256 } from "../store/hash.ts";

/** Raised when pages of the same layout mean something else. */
export const snapshotVersion = 1;

/** How keys and values lie in pages: every field has to be the same. */
export type LayoutFacts = Readonly<Record<string, string | number>>;

/** What makes keys and values: the same of both, and pages are interchangeable. */
export interface EngineKey {
  /** For messages. */
  readonly model: string;
  /** Hash of weights, shape and vocabulary, 64 hex digits. */
  readonly hash: string;
  readonly layout: LayoutFacts;
  /** Hash of all of it: what names of records depend on. */
  readonly prefix: string;
}

export interface SnapshotFacts {
  readonly version: number;
  readonly model: string;
  readonly hash: string;
  readonly layout: LayoutFacts;
  readonly ids: readonly number[];
  /** Tokens with keys and values, from the first. */
  readonly covered: number;
}

export function factsOf(key: EngineKey, ids: readonly number[], covered: number): SnapshotFacts {
  const { model, hash, layout } = key;
  return { version: snapshotVersion, model, hash, layout, ids, covered };
}

/** Most tokens of a conversation that is believed. */
const mostTokens = 1 << 24;

/** @returns undefined when it is something else, or makes no sense */
export function parseFacts(value: unknown): SnapshotFacts | undefined {
  if (!isRecord(value)) return undefined;
  const { version, model, hash, layout, ids, covered } = value;
  if (!isCount(version) || typeof model !== "string" || typeof hash !== "string" || !isRecord(layout)) return undefined;
  if (!Array.isArray(ids) || ids.length > mostTokens || !ids.every(isCount)) return undefined;
  if (!isCount(covered) || covered > ids.length) return undefined;
  const facts: Record<string, string | number> = {};
  for (const [name, fact] of Object.entries(layout)) {
    if (typeof fact !== "string" && typeof fact !== "number") return undefined;
    facts[name] = fact;
  }
  return { version, model, hash, layout: facts, ids, covered };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** Names of what a conversation is kept as: a record for each full page, and one for the tokens behind them. */
export interface RecordNames {
  readonly pages: readonly string[];
  readonly rest: string | undefined;
}

/**
 * The names say what is in the records: sha256 over the engine's key and all tokens up to their end, page by page. What prompts say may be
 * anybody's wish, and records of other tokens under the same name would be believed.
 *
 * @param ids  those with keys and values
 */
export async function recordNames({ prefix }: EngineKey, ids: readonly number[], pageTokens: number): Promise<RecordNames> {
  const pages: string[] = [];
  let last = prefix;
  for (let start = 0; start < ids.length; start += pageTokens) {
    const own = ids.slice(start, start + pageTokens);
    last = (await sha256(new TextEncoder().encode(`${last} ${own.join(" ")}`))).slice(0, 40);
    if (own.length < pageTokens) return { pages, rest: last };
    pages.push(last);
  }
  return { pages, rest: undefined };
}

/** The engine that is to go on from a conversation. */
export interface SnapshotTarget {
  readonly key: EngineKey;
  readonly contextLength: number;
  readonly vocabSize: number;
}

/** @throws {ShaderloomError} SESSION.version, SESSION.foreign, SESSION.layout, SESSION.corrupt, CONTEXT.full */
export function checkTarget(facts: SnapshotFacts, { key, contextLength, vocabSize }: SnapshotTarget): void {
  if (facts.version !== snapshotVersion) {
    const message = `The conversation was saved in form ${facts.version} and this version reads ${snapshotVersion}. Send the conversation again and save it anew.`;
    throw new ShaderloomError("SESSION.version", message, { detail: { found: facts.version, known: snapshotVersion } });
  }
  if (facts.hash !== key.hash) throw foreignModel(facts, key);
  const different = Object.keys({ ...facts.layout, ...key.layout }).filter((name) => facts.layout[name] !== key.layout[name]);
  if (different.length > 0) throw foreignLayout(facts, key, different);
  if (facts.ids.some((id) => id >= vocabSize)) throw corruptSnapshot("a token that the model does not have");
  if (facts.ids.length > contextLength) {
    throw new ShaderloomError(
      "CONTEXT.full",
      `The saved conversation has ${facts.ids.length} tokens and the context holds ${contextLength}. Load the model with a contextLength of ${facts.ids.length + 1} or more.`,
      { detail: { have: facts.ids.length, max: contextLength } },
    );
  }
}

function foreignModel(facts: SnapshotFacts, key: EngineKey): ShaderloomError {
  const names = facts.model === key.model ? `another version of ${key.model}` : `another model, ${facts.model || "which has no name"}`;
  const message = `The conversation was saved with ${names}: its keys and values mean nothing to this one. Load that model, or send the conversation again.`;
  return new ShaderloomError("SESSION.foreign", message, { detail: { saved: facts.model, loaded: key.model } });
}

/** Options that decide how keys and values lie, by the fact that tells. */
const optionNames: Readonly<Record<string, string>> = {
  type: "kv.type",
  pageTokens: "kv.pageTokens",
  repair: "kv.repair",
  activations: "activations",
};

function say(value: string | number | undefined): string {
  return value === undefined ? "none" : String(value);
}

function foreignLayout(facts: SnapshotFacts, key: EngineKey, different: readonly string[]): ShaderloomError {
  const list = different.map((name) => `${name} ${say(facts.layout[name])} instead of ${say(key.layout[name])}`).join(", ");
  const options = different.flatMap((name) => (name in optionNames ? `${optionNames[name]}: ${say(facts.layout[name])}` : []));
  const advice = options.length > 0 ? `Load the model with ${options.join(", ")}` : "Load the model with the options of then";
  const message = `The conversation was saved with keys and values of another form: ${list}. ${advice}, or send the conversation again.`;
  return new ShaderloomError("SESSION.layout", message, { detail: { different: [...different] } });
}

/** @param what  stands in "… has/is …": what is wrong */
export function corruptSnapshot(what: string): ShaderloomError {
  const message = `The saved conversation is damaged (${what}), so none of it is used. Send the conversation again, and save it anew.`;
  return new ShaderloomError("SESSION.corrupt", message, { detail: { what } });
}
