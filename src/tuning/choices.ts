// What races found on this adapter, as plain data that outlives a load. Times only: whether a variant is right is checked at every load. A
// record that is not exactly what this file writes is as good as none.

import type { Caps } from "../gpu/caps.ts";
import type { KernelClass } from "./classes.ts";

/** The winner of a race. */
export interface Choice {
  readonly variant: string;
  /** Of the rivals as they were: another list is another race. */
  readonly signature: string;
  /** Milliseconds of one dispatch. */
  readonly ms: number;
  readonly defaultMs: number;
}

export interface Choices {
  /** By class key. */
  readonly classes: ReadonlyMap<string, Choice>;
  /** Variants, as `trialName` names them, that run for the first time now: if that is never taken back, it may have been one of these. */
  readonly trying: readonly string[];
  /** Variants that were left in `trying` once: a killed tab does that, too. */
  readonly struck: readonly string[];
  /** Variants under which the device was lost, or that were left in `trying` twice. */
  readonly lost: readonly string[];
}

export const noChoices: Choices = { classes: new Map(), trying: [], struck: [], lost: [] };

const recordVersion = 2;
const mostEntries = 512;
const mostTextLength = 2048;

/** FNV-1a over UTF-16 units, twice with different starts: names things, keeps no secret. */
export function hashText(...texts: readonly string[]): string {
  let [a, b] = [0x811c9dc5, 0x2f0b4a27];
  for (const text of texts) {
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index);
      a = Math.imul(a ^ unit, 0x01000193);
      b = Math.imul(b ^ unit, 0x0100a3a7);
    }
    // Where one text ends and the next begins matters.
    a = Math.imul(a ^ 0x1ffff, 0x01000193);
    b = Math.imul(b ^ 0x1ffff, 0x0100a3a7);
  }
  return [a, b].map((half) => (half >>> 0).toString(16).padStart(8, "0")).join("");
}

/** What the times of a class depend on beside its key: the rivals, and what each is made of. */
export function signatureOf({ variants }: Pick<KernelClass, "variants">): string {
  return hashText(
    ...variants.flatMap(({ key, header, files }) => [
      key,
      JSON.stringify(header),
      ...files.map((file) => (typeof file === "string" ? file : file.text)),
    ]),
  );
}

export interface RecordOwner {
  readonly caps: Caps;
  readonly info: Pick<GPUAdapterInfo, "vendor" | "architecture" | "device" | "description">;
  readonly features: Iterable<string>;
  /** `navigator.userAgent`. */
  readonly browser: string;
  readonly version: string;
  readonly shaders: ReadonlyMap<string, string>;
}

/** Names the record of an adapter: anything that may change how fast a variant is. */
export function recordKey({ caps, info, features, browser, version, shaders }: RecordOwner): string {
  const { vendor, architecture, device, description } = info;
  const adapter = [vendor, architecture, device, description, JSON.stringify(caps), [...features].toSorted().join()];
  return hashText(...adapter, browser, version, String(recordVersion), ...[...shaders].flat());
}

/** The plain form. */
export function writeChoices({ classes, trying, struck, lost }: Choices): unknown {
  return {
    version: recordVersion,
    classes: [...classes].slice(-mostEntries).map(([key, choice]) => ({ key, ...choice })),
    trying: trying.slice(0, mostEntries),
    struck: struck.slice(-mostEntries),
    lost: lost.slice(-mostEntries),
  };
}

/** @returns undefined for anything that `writeChoices` did not make */
export function readChoices(stored: unknown): Choices | undefined {
  if (!isRecord(stored) || stored["version"] !== recordVersion) return undefined;
  const { classes: list, trying, struck, lost } = stored;
  if (!Array.isArray(list) || list.length > mostEntries || !isTexts(trying) || !isTexts(struck) || !isTexts(lost)) return undefined;
  const classes = new Map<string, Choice>();
  for (const entry of list) {
    if (!isRecord(entry)) return undefined;
    const { key, variant, signature, ms, defaultMs } = entry;
    if (!isText(key) || !isText(variant) || !isText(signature) || !isTime(ms) || !isTime(defaultMs)) return undefined;
    classes.set(key, { variant, signature, ms, defaultMs });
  }
  return { classes, trying, struck, lost };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value.length <= mostTextLength;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.length <= mostEntries && value.every((one) => isText(one));
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}
