// The page in a browser with a library, an estimate and an engine that are not real: what each press leads to.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { address, bundled, escape, failure, findButton, openPage, pickAddress, press, see, sheet } from "../testing/app_page.ts";
import { storedModel } from "../testing/fake_library.ts";

/** Removes what the page made, which a page itself never does. */
let cleanUp: Array<() => void> = [];

beforeEach(async () => {
  await import("./styles/index.css");
  localStorage.clear();
});

afterEach(() => {
  for (const undo of cleanUp) undo();
  cleanUp = [];
  document.body.replaceChildren();
});

test("the page's own model loads without asking; an address asks, and loads what was agreed to", async () => {
  const page = await openPage();
  expect(page.loads.map(({ model }) => model)).toEqual([bundled.location]);
  expect(page.estimates).toEqual([]);
  const suggestion = { text: "With 1,024 tokens it fits.", contextLength: 1024 };
  page.estimate = { fits: false, spareBytes: -3e8, memory: { source: "gpu", givenBytes: 3.2e8 }, suggestion };
  await pickAddress(address, "secret-token");
  await see("Does not fit: 300 MB short");
  expect(sheet()?.id).toBe("verdict");
  expect(document.activeElement?.textContent).toBe("Use 1,024 tokens");
  page.estimate = {};
  await press("Use 1,024 tokens");
  await see("Fits, with at least 620 MB to spare");
  expect(page.loads).toHaveLength(1);
  await press("Download and run");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  expect(sheet()).toBeUndefined();
  expect(page.loads[1]).toMatchObject({ model: address, contextLength: 1024, hub: { token: "secret-token" } });
  expect(page.estimates[1]).toMatchObject({ contextLength: 1024, hub: { token: "secret-token" } });
  // The token is nowhere but in that load.
  expect(document.querySelector<HTMLInputElement>("#model-token")?.value).toBe("");
  expect(Object.values(localStorage).join(" ")).not.toContain("secret-token");
  expect(document.documentElement.outerHTML).not.toContain("secret-token");
});

test("a no to the verdict loads nothing", async () => {
  const page = await openPage();
  await pickAddress(address);
  await see("Fits");
  await press("Cancel");
  await vi.waitFor(() => expect(sheet()).toBeUndefined());
  expect(page.loads).toHaveLength(1);
});

test("a stored model loads without asking, whole or in part", async () => {
  const part = storedModel({
    id: "part",
    name: "part.gguf",
    location: "https://host.example/part.gguf",
    storedBytes: 1e8,
    complete: false,
  });
  const page = await openPage([storedModel({ location: address }), part]);
  await pickAddress(address);
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await see("100 MB of 386 MB · 25 % downloaded");
  await press("Resume part.gguf");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  expect(page.loads.slice(1).map(({ model }) => model)).toEqual([address, part.location]);
  expect(page.estimates).toEqual([]);
});

test("deleting asks in place, can be taken back with Escape, and says why it may not", async () => {
  const page = await openPage([storedModel({ name: "a.gguf" })]);
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await press("Delete a.gguf");
  await see("Delete a.gguf and free 386 MB?");
  expect(document.activeElement?.textContent).toBe("Keep it");
  escape();
  expect(findButton("Delete 386 MB")).toBeUndefined();
  expect(document.activeElement?.ariaLabel).toBe("Delete a.gguf");
  expect(sheet()?.id).toBe("picker");
  page.library.failure = failure("STORE.busy", "Another tab uses this model. Close it there first.");
  await press("Delete a.gguf");
  await press("Delete 386 MB");
  await see("It is in use. Load another model first");
  await press("Delete a.gguf");
  await press("Delete 386 MB");
  await vi.waitFor(() => expect(document.querySelector(".stored")).toBeNull());
  expect(page.library.calls).toEqual(["delete a", "delete a"]);
});

test("checking shows progress and result; the browser is asked to keep models", async () => {
  const page = await openPage([storedModel({ name: "a.gguf" })]);
  page.library.slow = true;
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await press("Check a.gguf");
  await vi.waitFor(() => expect(document.querySelector<HTMLProgressElement>(".stored progress")?.value).toBe(0.25));
  page.library.damaged = 1;
  page.library.finish();
  await see("1 of 93 parts were damaged and are removed.");
  await see("Models take 386 MB · about 84.0 GB free");
  await press("Ask the browser to keep models");
  await see("The browser keeps them until you delete them.");
});

test("full storage is told once the model runs, with the way to make room and to store it", async () => {
  const part = storedModel({ id: "part", name: "new.gguf", location: "https://host.example/new.gguf", storedBytes: 1e8, complete: false });
  const page = await openPage([storedModel({ name: "old.gguf" }), part]);
  page.warning = {
    code: "QUOTA.full",
    message: "Storage is full. Delete stored models.",
    retryable: true,
    detail: { needed: 386e6, available: 5e7 },
  };
  await pickAddress("https://host.example/new.gguf");
  await press("Download and run");
  await see("new.gguf runs from memory and was not kept");
  expect(document.querySelector(".banner")?.getAttribute("role")).toBe("status");
  await press("Make room");
  await see("new.gguf runs from memory and is not kept. 286 MB of it found no room.");
  await press("Delete old.gguf");
  await press("Delete 386 MB");
  await vi.waitFor(() => expect(page.library.models).toEqual([part]));
  page.warning = null;
  await press("Store it");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  expect(page.loads[2].model).toBe("https://host.example/new.gguf");
  await vi.waitFor(() => expect(document.querySelector(".banner")).toBeNull());
});

test("a failed load offers what helps with it", async () => {
  const page = await openPage();
  const model = storedModel({ name: "m.gguf", location: address });
  page.library.models = [model];
  page.failures.push(failure("STORE.lost", "The store was lost. Try again."));
  await pickAddress(address);
  await see("model.gguf was not loaded. Tiny is still loaded.");
  await press("Load without storing");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  expect(page.loads[2]).toMatchObject({ model: address, store: { mode: "off" } });
  page.failures.push(failure("SOURCE.denied", "Access was refused. Give a token."));
  await pickAddress(address);
  await press("Enter an access token");
  expect(document.activeElement?.id).toBe("model-token");
  expect(document.querySelector<HTMLInputElement>("#model-address")?.value).toBe(address);
  sheet()?.close();
  // Tried again once the model in use has made room.
  const oom = failure("GPU.oom", "Too large. Take a smaller file.");
  page.failures.push(oom, oom);
  await pickAddress(address);
  await press("See what it takes");
  await see("620 MB of GPU memory with a full context");
});

test("a picked file is read in place, remembered, and copied when asked", async () => {
  const page = await openPage();
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle("mine.gguf", { create: true });
  const original = Object.getOwnPropertyDescriptor(window, "showOpenFilePicker");
  Object.defineProperty(window, "showOpenFilePicker", { configurable: true, value: async () => [handle] });
  cleanUp.push(() => original && Object.defineProperty(window, "showOpenFilePicker", original));
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await press("Choose model files");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  expect(page.loads[1].model).toBeInstanceOf(File);
  await vi.waitFor(() => expect(page.library.calls).toEqual(["remember mine.gguf"]));
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await see("on this computer, read in place");
  await press("Keep a copy mine.gguf");
  await see("A copy of file.gguf is on this device.");
  expect(page.library.calls).toEqual(["remember mine.gguf", "file r", "import file.gguf"]);
  await press("Load file.gguf");
  await vi.waitFor(() => expect(page.loads[2]?.model).toBe("stored:c"));
});

function drop(...names: string[]): void {
  const dataTransfer = new DataTransfer();
  for (const name of names) dataTransfer.items.add(new File(["GGUF"], name));
  document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
}

test("the parts of a split model are dropped together; a dropped file without a handle can be kept", async () => {
  const page = await openPage();
  drop("m-00002-of-00002.gguf", "m-00001-of-00002.gguf");
  await vi.waitFor(() => expect(page.loads).toHaveLength(2));
  const { model } = page.loads[1];
  expect(Array.isArray(model) && model.map((file: unknown) => file instanceof File && file.name)).toEqual([
    "m-00001-of-00002.gguf",
    "m-00002-of-00002.gguf",
  ]);
  drop("one.gguf");
  await vi.waitFor(() => expect(page.loads).toHaveLength(3));
  document.querySelector<HTMLButtonElement>("button.model")?.click();
  await see("one.gguf is open and not kept.");
  page.library.slow = true;
  await press("Keep a copy");
  await see("Copying one.gguf: 25 % of 4 B");
  await press("Cancel copying");
  await see("Copying one.gguf was cancelled; it goes on where it stopped.");
  const weights = document.querySelector<HTMLSelectElement>("#model-quantize");
  if (weights) weights.value = "q4_k";
  drop("config.json", "model.safetensors");
  await vi.waitFor(() => expect(page.loads[3]).toMatchObject({ quantize: "q4_k" }));
});
