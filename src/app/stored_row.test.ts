import { expect, test } from "vitest";
import { storedModel } from "../testing/fake_library.ts";
import { rowLine } from "./stored_row.ts";

const now = 1e12;
const used = { usedAt: now - 2 * 3_600_000 };

test.each([
  [storedModel(used), "386 MB · complete, verified · used 2 hours ago · host.example"],
  [storedModel({ ...used, verified: false }), "386 MB · complete · used 2 hours ago · host.example"],
  [storedModel({ ...used, complete: false, storedBytes: 239e6 }), "239 MB of 386 MB · 61 % downloaded · used 2 hours ago · host.example"],
  [
    storedModel({ ...used, kind: "imported", location: "stored:1" }),
    "386 MB · complete, verified · used 2 hours ago · copied from this computer",
  ],
  [
    storedModel({ ...used, kind: "remembered", location: "stored:1", storedBytes: 0 }),
    "386 MB · on this computer, read in place · used 2 hours ago",
  ],
])("$kind: what is stored, whole or not, and where it is from", (model, line) => expect(rowLine(model, now)).toBe(line));

test("the copy that a streamed model is read from is counted apart", () => {
  expect(rowLine(storedModel({ ...used, imageBytes: 3e8 }), now)).toBe(
    "386 MB · 300 MB more to stream from · complete, verified · used 2 hours ago · host.example",
  );
});
