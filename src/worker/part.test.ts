import { expect, test } from "vitest";
import { errorCode } from "../testing/typed_error.ts";
import { part } from "./part.ts";

test.each([
  "Failed to fetch dynamically imported module: https://example.test/chunks/engine_api.js",
  "error loading dynamically imported module: https://example.test/chunks/engine_api.js",
  "Importing a module script failed.",
])("a part that cannot be fetched is a network's failure: %s", async (message) => {
  expect(await errorCode(part(Promise.reject(new TypeError(message))))).toBe("NET.script");
});

test("a part that fails otherwise is a fault of ours, and one that loads is given", async () => {
  await expect(part(Promise.reject(new SyntaxError("unexpected token")))).rejects.toMatchObject({ code: "WORKER.script" });
  expect(await part(Promise.resolve(5))).toBe(5);
});
