import { expect, test } from "vitest";
import { stripWgsl } from "./strip_wgsl.mjs";

test("takes out line comments, nested block comments and blank lines", () => {
  const text = "// head\nconst A = 1u; // one\n\n/* a /* nested */\n comment */fn f() -> u32 {\n  return A / 2u; /* half */\n}\n";
  expect(stripWgsl(text)).toBe("const A = 1u;\nfn f() -> u32 {\nreturn A / 2u;\n}");
});

test("keeps tokens apart that only a comment separated", () => {
  expect(stripWgsl("const/**/A = 8u /*by*/ / /*two*/ 2u;").replaceAll(/\s+/g, " ")).toBe("const A = 8u / 2u;");
});

test("refuses what it would get wrong", () => {
  expect(() => stripWgsl("/* // */ const A = 1u;")).toThrow("hides its end");
});
