// What comes back from pages is what was in them when it was asked for, whatever is submitted afterwards, and goes to other pages unchanged.

import { describe, expect, test } from "vitest";
import { type KvLayout, kvPageBytes, kvTailBytes } from "../base/layout.ts";
import { seededRng } from "../base/rng.ts";
import { BufferLedger } from "../gpu/buffers.ts";
import { createReadback } from "../gpu/readback.ts";
import { gpuOrSkip, type Skipper } from "../testing/gpu.ts";
import { PageTransfer, type TransferPools } from "./page_transfer.ts";

const layout: KvLayout = { type: "q4", pageTokens: 8, numKvHeads: 2, headDim: 8, maxPages: 16 };
const [numLayers, pages, slots] = [3, 8, 2];

interface Held {
  readonly device: GPUDevice;
  readonly ledger: BufferLedger;
  readonly transfer: PageTransfer;
  readonly pools: readonly Uint8Array[];
  readonly tails: readonly Uint8Array[];
  readonly pool: (layer: number) => GPUBuffer;
  readonly view: TransferPools;
}

function noise(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const rng = seededRng(seed);
  return Uint8Array.from({ length }, () => rng.below(256));
}

async function open(context: Skipper, options: { groupBytes?: number; budget?: number } = {}): Promise<Held> {
  const adapter = await (await gpuOrSkip(context)).requestAdapter();
  if (!adapter) return context.skip("no adapter");
  const device = await adapter.requestDevice();
  const ledger = new BufferLedger(device, options.budget);
  const fill = (kind: string, size: number, layer: number): { buffer: GPUBuffer; bytes: Uint8Array<ArrayBuffer> } => {
    const buffer = ledger.create("kv", { label: `${kind} ${layer}`, size });
    const bytes = noise(size, layer + size);
    device.queue.writeBuffer(buffer, 0, bytes);
    return { buffer, bytes };
  };
  const layers = Array.from({ length: numLayers }, (_, layer) => layer);
  const pools = layers.map((layer) => fill("pool", pages * kvPageBytes(layout), layer));
  const tails = layers.map((layer) => fill("tail", slots * kvTailBytes(layout), layer));
  const view = { layout, numLayers, pool: (layer: number) => pools[layer].buffer, tail: (layer: number) => tails[layer].buffer };
  const transfer = new PageTransfer({ device, ledger, pools: view, groupBytes: options.groupBytes });
  return {
    device,
    ledger,
    transfer,
    pools: pools.map(({ bytes }) => bytes),
    tails: tails.map(({ bytes }) => bytes),
    pool: view.pool,
    view,
  };
}

function pageOf(pools: readonly Uint8Array[], page: number): Uint8Array {
  const bytes = kvPageBytes(layout);
  return Uint8Array.from(pools.flatMap((pool) => [...pool.subarray(page * bytes, (page + 1) * bytes)]));
}

describe("pages", () => {
  test("are read in the order asked for, a copy for each run and layer", async (context) => {
    const { device, ledger, transfer, pools } = await open(context);
    const wanted = [3, 4, 5, 1, 7, 0];
    const records = await transfer.read(wanted);
    expect(records.map((record) => [...record])).toEqual(wanted.map((page) => [...pageOf(pools, page)]));
    expect(transfer.counters).toEqual({ pagesRead: 6, pagesWritten: 0, copies: 4 * numLayers });
    expect(await transfer.read([])).toEqual([]);
    expect(ledger.bytes().other).toBe(0);
    device.destroy();
  });

  test("are read as they were when the call was made", async (context) => {
    const { device, transfer, pools, pool } = await open(context);
    const reading = transfer.read([2]);
    for (let layer = 0; layer < numLayers; layer++) device.queue.writeBuffer(pool(layer), 0, new Uint8Array(pages * kvPageBytes(layout)));
    expect([...(await reading)[0]]).toEqual([...pageOf(pools, 2)]);
    const [now] = await transfer.read([2]);
    expect(now.every((byte) => byte === 0)).toBe(true);
    device.destroy();
  });

  test("are the same in another place", async (context) => {
    const { device, transfer, pools } = await open(context);
    const records = [pageOf(pools, 6), pageOf(pools, 1), pageOf(pools, 5)];
    await transfer.write([0, 1, 7], records);
    expect((await transfer.read([0, 1, 2, 7])).map((record) => [...record])).toEqual(
      [records[0], records[1], pageOf(pools, 2), records[2]].map((record) => [...record]),
    );
    expect(transfer.counters.pagesWritten).toBe(3);
    device.destroy();
  });

  test("go in groups that a budget has room for", async (context) => {
    const { device, transfer } = await open(context, { groupBytes: 1000 });
    expect(transfer.recordBytes).toBe(numLayers * kvPageBytes(layout));
    expect(transfer.groupPages).toBe(Math.max(1, Math.floor(1000 / transfer.recordBytes)));
    device.destroy();
  });

  test("that a budget has no room for are refused with a typed error, and nothing stays", async (context) => {
    const budget = numLayers * (pages * kvPageBytes(layout) + slots * kvTailBytes(layout)) + 8;
    const { device, ledger, transfer } = await open(context, { budget });
    const before = ledger.bytes().total;
    await expect(transfer.read([0])).rejects.toMatchObject({ code: "GPU.oom" });
    expect(ledger.bytes().total).toBe(before);
    device.destroy();
  });

  test("that a budget has no room for are read through what there is, unchanged", async (context) => {
    const budget = numLayers * (pages * kvPageBytes(layout) + slots * kvTailBytes(layout)) + 768;
    const { device, ledger, pools, view } = await open(context, { budget });
    const spare = { readback: createReadback(ledger, [256, 512]), bytes: 400 };
    const through = new PageTransfer({ device, ledger, pools: view, spare });
    expect(ledger.room).toBe(0);
    expect(through).toMatchObject({ atOnce: false, groupPages: 1 });
    const records = await Promise.all([2, 7].map((page) => through.read([page])));
    expect(records.map(([record]) => [...record])).toEqual([2, 7].map((page) => [...pageOf(pools, page)]));
    expect(ledger.room).toBe(0);
    device.destroy();
  });

  test("of a lost device are refused with GPU.lost or GPU.oom", async (context) => {
    const { device, ledger, transfer } = await open(context);
    device.destroy();
    await expect(transfer.read([0])).rejects.toMatchObject({ code: expect.stringMatching(/^GPU\./) });
    expect(ledger.bytes().other).toBe(0);
  });
});

test("a tail is read and written by its slot", async (context) => {
  const { device, transfer, tails } = await open(context);
  const bytes = kvTailBytes(layout);
  const tailOf = (slot: number): number[] => tails.flatMap((tail) => [...tail.subarray(slot * bytes, (slot + 1) * bytes)]);
  expect(transfer.tailBytes).toBe(numLayers * bytes);
  const tail = await transfer.readTail(1);
  expect([...tail]).toEqual(tailOf(1));
  transfer.writeTail(0, tail);
  expect([...(await transfer.readTail(0))]).toEqual(tailOf(1));
  expect([...(await transfer.readTail(1))]).toEqual(tailOf(1));
  device.destroy();
});
