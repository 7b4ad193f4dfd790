// Models that do not fit, on the page: what is offered, what is loaded, and what is shown of their layers.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { address, openPage, pickAddress, press, see } from "../testing/app_page.ts";
import { fakeStreamed } from "../testing/fake_library.ts";

beforeEach(async () => {
  await import("./styles/index.css");
  localStorage.clear();
});

afterEach(() => {
  document.body.replaceChildren();
});

test("what does not fit whole runs streamed when asked to, and shows its layers", async () => {
  const page = await openPage();
  page.estimate = { fits: false, spareBytes: -3e8, memory: { source: "gpu", givenBytes: 3.2e8 }, streamed: fakeStreamed() };
  page.streaming = {
    resident: 2,
    streamed: 2,
    bytesPerStep: 5e6,
    stallMsPerToken: 3,
    readBytesPerSecond: 2e9,
    image: { tier: "opfs", bytes: 1e7 },
    layers: ["resident", "frame", "reading", "resident"],
  };
  await pickAddress(address);
  await see("Does not fit whole; streamed it writes about 4.20 tokens/s");
  await press("Run streamed (about 4.20 tokens/s)");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  expect(page.loads[1]).toMatchObject({ model: address, memoryBudget: 3e8 });
  await see("2 of 4 layers are read for each token: 5.0 MB at 2.0 GB/s, 3 ms of waiting");
  expect([...document.querySelectorAll(".layers-row .layer")].map(({ className }) => className)).toEqual([
    "layer is-resident",
    "layer is-frame",
    "layer is-reading",
    "layer is-resident",
  ]);
  // A model that is whole has no such figure.
  page.streaming = null;
  page.estimate = {};
  await pickAddress("https://host.example/small.gguf");
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  expect(page.loads[2]).not.toHaveProperty("memoryBudget");
  await vi.waitFor(() => expect(document.querySelector(".layers")?.checkVisibility()).toBe(false));
});

test("the limit for memory in the settings is that of the next verdict and load", async () => {
  const page = await openPage();
  expect(page.loads[0]).not.toHaveProperty("memoryBudget");
  await press("Settings");
  const field = document.querySelector<HTMLInputElement>("#setting-gpuGigabytes");
  if (!field) throw new Error("no field for a limit");
  expect(field.value).toBe("");
  field.value = "1.5";
  field.dispatchEvent(new Event("input"));
  await pickAddress(address);
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  expect(page.estimates[0]).toMatchObject({ memoryBudget: 1.5e9 });
  expect(page.loads[1]).toMatchObject({ memoryBudget: 1.5e9 });
});

function choose(id: string, value: string): void {
  const select = document.querySelector<HTMLSelectElement>(`#setting-${id}`);
  if (!select) throw new Error(`no setting ${id}`);
  select.value = value;
  select.dispatchEvent(new Event("change"));
}

function isDisabled(id: string): boolean | undefined {
  return document.querySelector<HTMLSelectElement>(`#setting-${id}`)?.disabled;
}

test("fewer bits for keys and values are offered where they would fit, and the settings hold for every load", async () => {
  const page = await openPage();
  await see("f16, 41.0 MB per 1,000 tokens, 3 of 16 pages used, 2 kept");
  const suggestion = { text: "Set kv.type.", kvType: "q8_0" } as const;
  page.estimate = { fits: false, spareBytes: -3e8, memory: { source: "gpu", givenBytes: 3.2e8 }, suggestion };
  await pickAddress(address);
  await see("With its chat memory in q8_0 it would fit");
  page.estimate = {};
  await press("Use q8_0");
  await see("Fits, with");
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  expect(page.loads[1]).toMatchObject({ model: address, kv: { type: "q8_0" } });
  expect(page.loads[0]).not.toHaveProperty("kv");
  await press("Settings");
  expect([isDisabled("evict"), isDisabled("keepTokens")]).toEqual([false, true]);
  choose("evict", "window");
  expect(isDisabled("keepTokens")).toBe(false);
  await pickAddress("https://host.example/other.gguf");
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  expect(page.loads[2].kv).toEqual({ evict: { policy: "window", keep: 2048 } });
  choose("kvType", "q4");
  expect([isDisabled("evict"), isDisabled("keepTokens")]).toEqual([true, true]);
  await pickAddress("https://host.example/third.gguf");
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(4));
  expect(page.loads[3].kv).toEqual({ type: "q4" });
  expect(page.estimates.at(-1)?.kv).toEqual({ type: "q4" });
});
