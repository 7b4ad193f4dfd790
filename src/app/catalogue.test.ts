import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readCatalogue } from "./catalogue.ts";

const base = "https://host.example/page/";

test("the page's own catalogue starts with the bundled model", () => {
  const text = readFileSync(join(import.meta.dirname, "../../public/models.json"), "utf8");
  const [first] = readCatalogue(JSON.parse(text), base);
  expect(first.location).toBe("https://host.example/page/models/shaderloom-tiny.gguf");
  expect(first.prompts?.length).toBeGreaterThan(1);
  expect(first.bundled).toBe(true);
});

test.each([
  ["m.gguf", true],
  ["https://elsewhere.example/m.gguf", undefined],
  ["hf:o/r/f.gguf", undefined],
])("whether %s is loaded without asking: %s", (location, bundled) => {
  expect(readCatalogue({ models: [{ name: "A", description: "B", location }] }, base)[0].bundled).toBe(bundled);
});

test("hub paths stay as they are", () => {
  const entry = { name: "A", description: "B", location: "hf:o/r/f.gguf" };
  expect(readCatalogue({ models: [entry] }, base)).toEqual([{ ...entry, prompts: [] }]);
});

test.each([[null], [{}], [{ models: 3 }], [{ models: [null] }], [{ models: [{ name: "A" }] }]])("%j is no catalogue", (value) => {
  expect(() => readCatalogue(value, base)).toThrow("models.json");
});
