import { describe, expect, it } from "vitest";
import { declaredLicense } from "../src/declared-license.ts";

describe("declaredLicense", () => {
  it.each([
    ["a string", { license: "MIT" }, "MIT"],
    [
      "an object with a type",
      { license: { type: "BSD-3-Clause", url: "https://example.com" } },
      "BSD-3-Clause",
    ],
    ["the retired array", { licenses: [{ type: "MIT", url: "https://example.com" }] }, "MIT"],
    ["the retired array of strings", { licenses: ["ISC"] }, "ISC"],
    ["a string before the retired array", { license: "ISC", licenses: [{ type: "MIT" }] }, "ISC"],
    ["an expression of one operand", { license: "(MIT)" }, "MIT"],
    ["another case", { license: "mit" }, "MIT"],
    ["white space around it", { license: " Apache-2.0 " }, "Apache-2.0"],
    ["only that version", { license: "GPL-3.0-only" }, "GPL-3.0"],
    ["that version or later", { license: "LGPL-2.1-or-later" }, "LGPL-2.1"],
    ["that version or later in the old spelling", { license: "AGPL-3.0" }, "AGPL-3.0"],
  ])("takes %s as a truth", (_, fields, license) => {
    expect(declaredLicense(fields)).toEqual({ usable: true, license });
  });

  it.each([
    ["a choice", { license: "(MIT OR Apache-2.0)" }, "several licences or an expression"],
    ["a sum", { license: "MIT AND CC-BY-4.0" }, "several licences or an expression"],
    [
      "an exception",
      { license: "GPL-2.0-only WITH Classpath-exception-2.0" },
      "several licences or an expression",
    ],
    [
      "several in the array",
      { licenses: [{ type: "MIT" }, { type: "ISC" }] },
      "several licences or an expression",
    ],
    ["a reference to a file", { license: "SEE LICENSE IN LICENSE.md" }, "refers to a file"],
    ["no licence at all", { license: "UNLICENSED" }, "unlicensed"],
    ["a name that is no identifier", { license: "Apache 2.0" }, "not an SPDX identifier"],
    ["the name of a family", { license: "BSD" }, "not an SPDX identifier"],
    ["nothing", {}, "not declared"],
    ["an empty string", { license: "" }, "not declared"],
    ["something else", { license: 7 }, "not declared"],
  ])("refuses %s, with the reason", (_, fields, reason) => {
    expect(declaredLicense(fields)).toMatchObject({ usable: false, reason });
  });
});
