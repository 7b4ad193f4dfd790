import { expect, test } from "vitest";
import type { KvCache } from "../kv/kv_cache.ts";
import { typedError } from "../testing/typed_error.ts";
import { Sequence } from "./sequence.ts";
import { SnapshotSlot, type SlotParts } from "./snapshot_slot.ts";

/** A cache without pages, as far as it is asked before anything is done. */
function contiguous(): SlotParts {
  const cache: Partial<KvCache> = { layout: { type: "f32", pageTokens: 32, numKvHeads: 1, headDim: 4, maxPages: 4, order: "contiguous" } };
  const parts: Partial<SlotParts> = { cache: cache as KvCache, sequence: new Sequence(0, cache as KvCache), check: () => undefined };
  return parts as SlotParts;
}

test("keys and values in one range are not kept, and the error says what to do", async () => {
  const error = await typedError(Promise.resolve().then(() => new SnapshotSlot(contiguous())));
  expect(error).toMatchObject({ code: "SESSION.layout", message: expect.stringMatching(/kv\.layout "paged"/) });
});
