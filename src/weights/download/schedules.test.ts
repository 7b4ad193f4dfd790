// Random schedules of faults against a whole download over several visits: of the network, of the store, of versions, of impatient users.
// Each ends in the right bytes or a typed error, and after each visit what is stored is right and nothing is held. A schedule is replayed by
// its seed: SHADERLOOM_SEED=<seed>; SHADERLOOM_SCHEDULES=<count> runs more of them.

import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ShaderloomError, isErrorCode } from "../../base/errors.ts";
import { seededRng } from "../../base/rng.ts";
import type { Rng } from "../../base/rng.ts";
import { type DownloadCase, caseChunk, counting, expectIdle, startCase } from "../../testing/download_case.ts";
import type { Fault, FaultServer } from "../../testing/fault_server.ts";
import { type StorePlan, faultyStore } from "../../testing/faulty_store.ts";
import type { ByteSource } from "../byte_source.ts";
import { DownloadPool } from "./pool.ts";
import type { OpenSourceOptions } from "../source.ts";

const only = process.env["SHADERLOOM_SEED"];
const count = only === undefined ? Number(process.env["SHADERLOOM_SCHEDULES"] ?? 200) : 1;
const perTest = 20;

/** One schedule: its server, what it served, and how it went. */
interface Schedule {
  readonly here: DownloadCase;
  readonly rng: Rng;
  /** All contents that were ever served, the present one last. */
  readonly versions: Uint8Array[];
  readonly sha256: string | undefined;
}

function chance(rng: Rng, share: number): boolean {
  return rng.unit() < share;
}

function someFault(rng: Rng, { content, ranges }: FaultServer): Fault {
  const after = rng.below(3 * caseChunk);
  const faults: Fault[] = [
    { kind: "cut", after },
    { kind: "cut", after: 0 },
    { kind: "short", after },
    // Half of a whole file, labelled as all of it, would be a file.
    ranges ? { kind: "half" } : { kind: "cut", after },
    { kind: "status", status: [401, 403, 404, 416, 429, 500, 502, 503][rng.below(8)] ?? 500 },
    { kind: "status", status: 503, headers: { "retry-after": "0" } },
    { kind: "whole" },
    { kind: "unsized", ...(chance(rng, 0.5) ? { after } : {}) },
    { kind: "gzip" },
    { kind: "range", header: `bytes ${after}-${after}/${content.length}` },
    { kind: "headers", headers: { etag: `"${content[0]} ${content.length}"` } },
    { kind: "page", body: "<!doctype html>log in", type: "text/html" },
  ];
  // Waiting is slow, so these are rarer.
  if (chance(rng, 0.1)) return chance(rng, 0.5) ? { kind: "stall", after } : { kind: "silent" };
  return faults[rng.below(faults.length)] ?? { kind: "half" };
}

const calm: StorePlan = () => undefined;

function storePlan(rng: Rng): StorePlan {
  if (chance(rng, 0.6)) return calm;
  const at = 1 + rng.below(60);
  const lasting = chance(rng, 0.5);
  const code = chance(rng, 0.5) ? "QUOTA.full" : "STORE.lost";
  const error = new ShaderloomError(code, "The store fails. Load again.");
  if (chance(rng, 0.3)) return ({ number }) => (number === at ? { kind: "crash", when: "torn" } : undefined);
  return ({ number }) => (number === at || (lasting && number > at) ? { kind: "fail", error } : undefined);
}

/** The versions that agree with bytes which a source gave. */
function matching(versions: readonly Uint8Array[], offset: number, bytes: Uint8Array): Uint8Array[] {
  return versions.filter((version) => Buffer.compare(version.subarray(offset, offset + bytes.length), bytes) === 0);
}

/** Reads at random; all that one source gives is of one version. */
async function readSome(source: ByteSource, { rng, versions }: Schedule, signal: AbortSignal): Promise<void> {
  let possible = versions.filter(({ length }) => length === source.size);
  if (possible.length === 0) {
    // Only where no length was said: it cannot be stored, and the file's own header has to tell that something is missing.
    expect(source.unstored).toBeDefined();
    possible = versions.filter(({ length }) => length > source.size);
  }
  if (chance(rng, 0.7)) source.expect?.(Array.from({ length: 5 }, () => ({ offset: rng.below(source.size), length: 1 })));
  const into = new Uint8Array(3 * caseChunk);
  for (let reads = rng.below(12); reads > 0; reads--) {
    const offset = rng.below(source.size);
    const length = Math.min(rng.below(3 * caseChunk), source.size - offset);
    let counted = 0;
    const bytes = await source.read(offset, length, { signal, into, onBytes: (more) => (counted += more) });
    expect(bytes).toHaveLength(length);
    expect(counted, "progress").toBeLessThanOrEqual(length);
    possible = matching(possible, offset, bytes);
    expect(possible.length, `bytes at ${offset} are of one version`).toBeGreaterThan(0);
  }
  if (chance(rng, 0.4)) return;
  await source.finish?.(signal);
  const whole = await source.read(0, source.size, { signal });
  expect(matching(possible, 0, whole).length, "the whole is of one version").toBeGreaterThan(0);
}

/** Chunks that are stored, by revision; each manifest holds bytes of one version only. */
async function expectHonest({ here, versions }: Schedule): Promise<Map<string, ReadonlySet<number>>> {
  const store = here.visit();
  const stored = new Map<string, Set<number>>();
  for (const manifest of await store.find(here.address)) {
    const file = await store.open({ ...manifest, sha256: null }, counting());
    let possible = versions.filter(({ length }) => length === manifest.bytes);
    const indices = new Set<number>();
    for (let index = 0; index < file.chunkCount; index++) {
      const bytes = await file.read(index);
      if (bytes === undefined) continue;
      indices.add(index);
      possible = matching(possible, index * caseChunk, bytes);
      expect(possible.length, `chunk ${index} of ${manifest.revision}`).toBeGreaterThan(0);
    }
    if (manifest.state === "complete") expect(indices.size).toBe(file.chunkCount);
    stored.set(manifest.revision, indices);
  }
  return stored;
}

/** Something that changes between visits: the file, or what the server says of it. */
function changeSomething({ here, rng, versions }: Schedule): void {
  if (!chance(rng, 0.15)) return;
  const before = versions.at(-1) ?? new Uint8Array(1);
  const after = chance(rng, 0.3) ? before.slice(0, 1 + rng.below(before.length)) : before.map((byte) => byte ^ 0x5a);
  versions.push(after);
  here.server.content = after;
  here.server.etag = here.server.etag === "" ? "" : `"${versions.length}"`;
}

async function visit(schedule: Schedule): Promise<void> {
  const { here, rng, sha256 } = schedule;
  const stored = await expectHonest(schedule);
  changeSomething(schedule);
  here.server.requests.length = 0;
  const bytes = here.server.content.length;
  here.server.faults.length = 0;
  if (chance(rng, 0.7)) here.server.faults.push(...Array.from({ length: 1 + rng.below(6) }, () => someFault(rng, here.server)));
  const clean = here.server.faults.length === 0;
  const plan = storePlan(rng);
  const models = here.visit({}, faultyStore(here.halves, plan));
  const mode = chance(rng, 0.2) ? "refresh" : "use";
  const hasty = chance(rng, 0.2) ? AbortSignal.timeout(rng.below(30)) : new AbortController().signal;
  const options: Partial<OpenSourceOptions> = {
    signal: hasty,
    stallMs: 60,
    retries: 2,
    shared: { pool: new DownloadPool({ chunkBytes: caseChunk, requests: 1 + rng.below(5), buffers: 3 + rng.below(8) }) },
    store: { models, mode, evict: chance(rng, 0.2), onFull: chance(rng, 0.2) ? "error" : "memory" },
    ...(sha256 === undefined ? {} : { sha256 }),
  };
  let source: ByteSource | undefined;
  try {
    source = await here.open(models, options);
    await readSome(source, schedule, hasty);
  } catch (thrown) {
    // A process that died is no error of ours, and neither is a store that died with it.
    if (!(thrown instanceof ShaderloomError)) throw thrown;
    expect(isErrorCode(thrown.code), thrown.code).toBe(true);
  } finally {
    source?.close?.();
    await expectIdle(here.locks);
  }
  if (schedule.versions.length > 1 || !clean || plan !== calm || here.server.etag === "") return;
  for (const [revision, indices] of stored) {
    if (revision.startsWith(`etag:${encodeURIComponent(here.server.etag)} `)) expectNotAsked(here, indices, bytes);
  }
}

/** With honest labels and no faults no stored chunk is asked for, except to be mended. */
function expectNotAsked({ server }: DownloadCase, stored: ReadonlySet<number>, bytes: number): void {
  for (const { range } of server.requests) {
    const [start, end] = (/^bytes=(\d+)-(\d+)$/.exec(range ?? "") ?? []).slice(1).map(Number);
    if (start === undefined || end === undefined) continue;
    for (const index of stored) {
      const whole = start <= index * caseChunk && end + 1 >= Math.min((index + 1) * caseChunk, bytes);
      expect(whole, `chunk ${index} is stored, and ${range} was asked for`).toBe(false);
    }
  }
}

async function runSchedule(seed: number): Promise<void> {
  const rng = seededRng(seed);
  await using here = await startCase(1 + rng.below(12 * caseChunk), seed);
  const sha256 = chance(rng, 0.3) ? createHash("sha256").update(here.content).digest("hex") : undefined;
  const schedule: Schedule = { here, rng, versions: [here.content], sha256 };
  if (chance(rng, 0.2)) here.server.etag = "";
  if (chance(rng, 0.1)) here.server.ranges = false;
  for (let visits = 1 + rng.below(4); visits > 0; visits--) await visit(schedule);
  await expectHonest(schedule);
  // Whatever happened, a calm visit ends well, unless the file is no longer what was promised.
  here.server.faults.length = 0;
  const source = await here.open(here.visit(), sha256 === undefined ? {} : { sha256 });
  const good = sha256 === undefined || schedule.versions.length === 1;
  try {
    await source.finish?.();
    const whole = await source.read(0, source.size);
    expect(matching(schedule.versions, 0, whole).length).toBeGreaterThan(0);
  } catch (thrown) {
    if (good || !(thrown instanceof ShaderloomError)) throw thrown;
    expect(thrown.code).toBe("INTEGRITY.sha256");
  } finally {
    await here.leave(source);
  }
  await expectHonest(schedule);
}

const seeds = only === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(only)];
const groups = Array.from({ length: Math.ceil(seeds.length / perTest) }, (_, i) => seeds.slice(i * perTest, (i + 1) * perTest));

test.each(groups.map((group) => [group[0], group] as const))(
  "schedules from seed %i on",
  async (_, group) => {
    for (const seed of group) {
      await runSchedule(seed).catch((thrown: unknown) => {
        throw new Error(`schedule ${seed} (SHADERLOOM_SEED=${seed} replays it): ${String(thrown)}`, { cause: thrown });
      });
    }
  },
  120_000,
);

test("the honest check finds bytes of another version", async () => {
  await using here = await startCase();
  const source = await here.open(here.visit());
  await source.finish?.();
  await here.leave(source);
  const schedule: Schedule = { here, rng: seededRng(1), versions: [here.content.map((byte) => byte ^ 1)], sha256: undefined };
  await expect(expectHonest(schedule)).rejects.toThrow("chunk 0");
});
