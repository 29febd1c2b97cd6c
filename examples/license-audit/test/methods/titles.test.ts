import { describe, expect, it } from "vitest";
import { titleIn } from "../../src/methods/titles.ts";

describe("titleIn", () => {
  it.each([
    ["the mit license (mit)", "MIT"],
    ["mit no attribution", "MIT-0"],
    ["the mit license (x11 license)", "MIT"],
    ["isc license", "ISC"],
    ["bsd zero clause license", "0BSD"],
    ["bsd 2-clause license", "BSD-2-Clause"],
    ["the 3-clause bsd license", "BSD-3-Clause"],
    ["new bsd license", "BSD-3-Clause"],
    ["bsd license", "BSD"],
    ["apache license version 2.0, january 2004", "Apache-2.0"],
    ["gnu general public license version 3, 29 june 2007", "GPL-3.0"],
    ["gnu lesser general public license version 2.1, february 1999", "LGPL-2.1"],
    ["gnu affero general public license version 3, 19 november 2007", "AGPL-3.0"],
    ["creative commons attribution 4.0 international", "CC-BY-4.0"],
    ["this is free and unencumbered software released into the public domain.", "Unlicense"],
  ])("reads %s as %s", (header, license) => {
    expect(titleIn(header)?.license).toBe(license);
  });

  it.each(["", "license", "the example project", "permit", "misc notes"])(
    "finds no title in %j",
    (header) => {
      expect(titleIn(header)).toBeUndefined();
    },
  );
});
