// One load after another of files that are served with faults, as the tests of the network ask for them.

import type { Fault, HostedFile } from "./file_server.ts";
import { completeChunks } from "./ledger.ts";
import type { Answer, BrowserTier, DownloadOrder, DownloadOutcome } from "./protocol.ts";
import { type Scene, expect } from "./scene.ts";

export const tier: BrowserTier = "opfs";
export const impatient: Pick<DownloadOrder, "backOffMs" | "stallMs" | "retries"> = { backOffMs: 20, stallMs: 2500, retries: 3 };

/** Until then whatever is not struck by a fault is stored. */
export const faultAfterMs: number = 1000;

export interface Hosted {
  readonly url: string;
  readonly content: Buffer;
  readonly sha256: string;
}

export function load(scene: Scene, { url }: Pick<Hosted, "url">, more: Partial<DownloadOrder> = {}): Promise<Answer<"download">> {
  const order: DownloadOrder = { act: "download", url, tier, seed: scene.rng.below(2 ** 31), ...impatient, ...more };
  return scene.attempt<"download">(order);
}

/** A load that has to succeed with the right bytes. */
export async function loadWell(scene: Scene, hosted: Hosted, more: Partial<DownloadOrder> = {}): Promise<DownloadOutcome> {
  const answer = await load(scene, hosted, more);
  if (!answer.ok) throw new Error(`${answer.error.code}: ${answer.error.message}`);
  expect(answer.value.sha256, "what the reader got").toBe(hosted.sha256);
  return answer.value;
}

/** A load that has to fail with this code. */
export async function expectRefused(
  scene: Scene,
  hosted: Pick<Hosted, "url">,
  code: string,
  more: Partial<DownloadOrder> = {},
): Promise<void> {
  const answer = await load(scene, hosted, more);
  expect(answer.ok ? "no error" : answer.error.code, answer.ok ? "" : answer.error.message).toBe(code);
}

export async function stored(scene: Scene, hosted: Hosted): Promise<number[]> {
  const { files, unreadable } = await scene.once<"inspect">({ act: "inspect", tier });
  expect(unreadable).toEqual([]);
  return completeChunks(files, hosted);
}

/** The fault for requests that the test picks by their number, and for those of a span. */
export function nth(numbers: readonly number[], fault: Fault): HostedFile["fault"] {
  return ({ count }) => (numbers.includes(count) ? fault : undefined);
}

export function always(fault: Fault): HostedFile["fault"] {
  return () => fault;
}

/** Every request for something behind this offset, but for those from the file's start, which find out what the server has. */
export function beyond(offset: number, fault: Fault): HostedFile["fault"] {
  return ({ start, end }) => (start > 0 && end > offset ? fault : undefined);
}
