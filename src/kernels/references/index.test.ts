// Every kernel has its reference under its own name, and no two share one.

import { expect, test } from "vitest";
import { testedKernels } from "../../testing/kernel_cases/index.ts";
import { referenceOf } from "./index.ts";

test.each(testedKernels)("$name has a reference of its own", (kernel) => {
  const own = kernel.visit((tested) => referenceOf(tested));
  const others = testedKernels.filter(({ name }) => name !== kernel.name);
  expect(others.map((other) => other.visit((tested): unknown => referenceOf(tested)))).not.toContain(own);
});

test("a kernel of no name here is a mistake of ours", () => {
  expect(() => referenceOf({ name: "none" })).toThrow("none has no reference");
});
