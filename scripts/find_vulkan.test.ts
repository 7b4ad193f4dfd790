import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { findLavapipe } from "./find_vulkan.mjs";

const folder = mkdtempSync(join(tmpdir(), "shaderloom-vulkan-"));
afterAll(() => rmSync(folder, { recursive: true }));

test("an unpacked driver counts while it is where its ICD says", () => {
  const here = join(folder, "here");
  mkdirSync(here);
  expect(findLavapipe(here).env).toBeUndefined();
  const driver = join(here, "libvulkan_lvp.so");
  const icd = join(here, "lvp_icd.json");
  writeFileSync(driver, "");
  writeFileSync(icd, JSON.stringify({ ICD: { library_path: driver } }));
  expect(findLavapipe(here).env).toMatchObject({ VK_DRIVER_FILES: icd });

  const moved = join(folder, "moved");
  renameSync(here, moved);
  expect(findLavapipe(moved)).toEqual({ reason: expect.stringContaining("lavapipe") as string });
});

test("a broken ICD is an absent one", () => {
  for (const text of ["", "{", "{}", "null", '{"ICD":{}}']) {
    writeFileSync(join(folder, "lvp_icd.json"), text);
    expect(findLavapipe(folder).env).toBeUndefined();
  }
});
