// The library as the page sees it: listed, checked, deleted, copied, and what it says when one of these does not work.
import { expect, test } from "vitest";
import { fakeLibrary, storedModel, type FakeLibrary } from "../testing/fake_library.ts";
import { Shelf } from "./shelf.ts";

function setUp(library: FakeLibrary): { shelf: Shelf; said: string[] } {
  const said: string[] = [];
  const shelf = new Shelf(() => Promise.resolve(library), { onChange: () => undefined, onAnnounce: (text) => said.push(text) });
  return { shelf, said };
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, retryable: false, detail: {} });
}

test("lists the last used model first, and finds one by any form of its address", async () => {
  const hub = "https://huggingface.co/o/r/resolve/main/f.gguf";
  const part = storedModel({ id: "part", location: hub, complete: false, usedAt: 5 });
  const { shelf } = setUp(
    fakeLibrary([storedModel({ id: "old", usedAt: 1 }), part, storedModel({ id: "whole", location: hub, usedAt: 3 })]),
  );
  await shelf.refresh();
  expect(shelf.state.models.map(({ id }) => id)).toEqual(["part", "whole", "old"]);
  expect((await shelf.find({ location: "hf:o/r/f.gguf", name: "f" }))?.id).toBe("whole");
  expect(await shelf.find({ location: "hf:o/r/f.gguf@v2", name: "f" })).toBeUndefined();
  expect(await shelf.find({ location: new File([], "f"), name: "f" })).toBeUndefined();
});

test("a check tells its progress and its result, and can be cancelled", async () => {
  const library = fakeLibrary([storedModel()]);
  const { shelf, said } = setUp(library);
  await shelf.refresh();
  const [model] = shelf.state.models;
  await shelf.check(model);
  expect(shelf.state.notes.get("a")).toEqual({ good: true, text: "Checked: all 93 parts are as downloaded." });
  library.damaged = 2;
  await shelf.check(model);
  expect(shelf.state.notes.get("a")?.text).toBe("2 of 93 parts were damaged and are removed. Loading it fetches them again.");
  library.slow = true;
  const running = shelf.check(model);
  await new Promise((resolve) => setTimeout(resolve));
  expect(shelf.state.checks.get("a")).toMatchObject({ done: 25, total: 100 });
  shelf.state.checks.get("a")?.cancel();
  await running;
  expect(shelf.state.checks.size).toBe(0);
  expect(said.at(-1)).toBe("model.gguf: Checking was cancelled.");
});

test("a model in use stays and says why; another is deleted", async () => {
  const library = fakeLibrary([storedModel(), storedModel({ id: "b", name: "b.gguf" })]);
  const { shelf, said } = setUp(library);
  await shelf.refresh();
  library.failure = failure("STORE.busy", "Another tab uses this model. Close it there first.");
  expect(await shelf.delete(shelf.state.models[0])).toBe(false);
  expect(shelf.state.notes.get("a")).toEqual({ good: false, text: "It is in use. Load another model first, here and in other tabs." });
  expect(await shelf.delete(shelf.state.models[1])).toBe(true);
  expect(said.at(-1)).toBe("b.gguf is deleted. 386 MB are free again.");
  expect(shelf.state.models.map(({ id }) => id)).toEqual(["a"]);
});

test("a file is copied with progress, one at a time", async () => {
  const library = fakeLibrary();
  library.slow = true;
  const { shelf, said } = setUp(library);
  const first = shelf.copy(new File(["GGUFGGUF"], "mine.gguf"));
  await new Promise((resolve) => setTimeout(resolve));
  expect(shelf.state.copy).toMatchObject({ name: "mine.gguf", done: 2, total: 8 });
  await shelf.copy(new File([], "other.gguf"));
  library.finish();
  await first;
  expect(library.calls).toEqual(["import mine.gguf"]);
  expect(shelf.state.copyNote).toEqual({ good: true, text: "A copy of mine.gguf is on this device." });
  expect(said).toEqual(["A copy of mine.gguf is on this device."]);
  library.failure = failure("QUOTA.full", "Storage is full. Delete a model.");
  await shelf.copy(new File([], "more.gguf"));
  expect(shelf.state.copyNote).toEqual({ good: false, text: "Storage is full. Delete a model." });
});

test("a remembered file is copied from where it is", async () => {
  const library = fakeLibrary([storedModel({ id: "r", kind: "remembered" })]);
  const { shelf } = setUp(library);
  await shelf.refresh();
  await shelf.copyRemembered(shelf.state.models[0]);
  expect(library.calls).toEqual(["file r", "import file.gguf"]);
  library.failure = failure("SOURCE.denied", "Reading it was not allowed. Allow it.");
  await shelf.copyRemembered(shelf.state.models[0]);
  expect(shelf.state.notes.get("r")?.text).toBe("Reading it was not allowed. Allow it.");
});

test("a browser that stores nothing is a state, and is asked again", async () => {
  let openings = 0;
  const library = fakeLibrary([storedModel()]);
  const open = (): Promise<FakeLibrary> =>
    ++openings === 1 ? Promise.reject(failure("STORE.unavailable", "Nothing is stored here. Allow site data.")) : Promise.resolve(library);
  const shelf = new Shelf(open, { onChange: () => undefined, onAnnounce: () => undefined });
  expect(await shelf.find({ location: "https://host.example/model.gguf", name: "m" })).toBeUndefined();
  expect(shelf.state.problem?.code).toBe("STORE.unavailable");
  await shelf.refresh();
  expect(shelf.state.problem).toBeUndefined();
  expect(shelf.state.models).toHaveLength(1);
});
