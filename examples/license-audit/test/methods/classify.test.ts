import { describe, expect, it } from "vitest";
import { type Classify, UNRECOGNISED } from "../../src/classification.ts";
import { methods } from "../../src/methods/catalogue.ts";
import {
  apacheNotice,
  bsd,
  commented,
  isc,
  mit,
  mitBody,
  mitNoAttribution,
  mitWithNotices,
  mitWithoutTitle,
  mitWithPreface,
  prose,
  published,
  zeroClauseBsd,
} from "../texts.ts";

const everyMethodKnows: readonly (readonly [what: string, text: string, license: string])[] = [
  ["MIT with its title", mit, "MIT"],
  ["MIT without a title, right under the copyright line", mitWithoutTitle, "MIT"],
  ["the body of MIT alone", mitBody, "MIT"],
  ["MIT on one line per paragraph", mit.replace(/([^\n])\n(?=[^\n])/g, "$1 "), "MIT"],
  ["MIT with carriage returns", mit.replaceAll("\n", "\r\n"), "MIT"],
  ["MIT in a comment", commented(mit), "MIT"],
  ["MIT before the licences of bundled packages", mitWithNotices, "MIT"],
  ["MIT after a preface", mitWithPreface, "MIT"],
  ["MIT-0, which is MIT without its condition", mitNoAttribution, "MIT-0"],
  ["ISC without a title", isc, "ISC"],
  ["0BSD, which is ISC without its condition", zeroClauseBsd, "0BSD"],
  ["BSD with two clauses and bullets", bsd(2, { marker: "* " }), "BSD-2-Clause"],
  ["BSD with two clauses and numbers", bsd(2, { marker: "1. " }), "BSD-2-Clause"],
  ["BSD with three clauses and bullets", bsd(3, { marker: "- " }), "BSD-3-Clause"],
  ["BSD with three clauses in plain paragraphs", bsd(3, { marker: "" }), "BSD-3-Clause"],
  ["two clauses under the title of the family", bsd(2, { marker: "  * ", title: true }), "BSD-2-Clause"],
  ...[
    "MIT",
    "ISC",
    "Apache-2.0",
    "MPL-2.0",
    "CC0-1.0",
    "CC-BY-4.0",
    "CC-BY-3.0",
    "BlueOak-1.0.0",
    "Zlib",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Unlicense",
    "Artistic-2.0",
    "EPL-2.0",
    "OFL-1.1",
    "BSL-1.0",
    "Python-2.0",
    "Unicode-3.0",
  ].map((license) => [`the published text of ${license}`, published(license), license] as const),
  ["the published text of GPL-3.0-only", published("GPL-3.0-only"), "GPL-3.0"],
  ["the published text of LGPL-2.1-or-later", published("LGPL-2.1-or-later"), "LGPL-2.1"],
  ["the published text of AGPL-3.0-only", published("AGPL-3.0-only"), "AGPL-3.0"],
  ["an empty text", "", UNRECOGNISED],
  ["white space", " \n\n\t ", UNRECOGNISED],
  ["a text about something else", prose, UNRECOGNISED],
];

describe.each(methods)("the $name method", ({ create }) => {
  const classify: Classify = create();

  it.each(everyMethodKnows)("knows %s", (_, text, license) => {
    expect(classify(text).result).toBe(license);
  });

  it("is as confident as 0 to 1 allow", () => {
    for (const [, text] of everyMethodKnows) {
      const { confidence } = classify(text);
      expect(confidence).toBeGreaterThanOrEqual(0);
      expect(confidence).toBeLessThanOrEqual(1);
    }
  });

  it("gives the same answer to the same text", () => {
    expect(classify(mitWithNotices)).toEqual(classify(mitWithNotices));
  });
});

describe("what the methods cannot all do", () => {
  const answers = (text: string): Record<string, string> =>
    Object.fromEntries(methods.map(({ name, create }) => [name, create()(text).result]));

  it("tells the structure of a notice from that of its licence, but not which licence it is", () => {
    expect(answers(apacheNotice)).toEqual({
      similarity: "Apache-2.0",
      phrases: "Apache-2.0",
      structure: UNRECOGNISED,
    });
  });

  it("finds a licence that is only referred to by its name, not by similarity", () => {
    expect(answers("Released under the MIT license.\n")).toEqual({
      similarity: UNRECOGNISED,
      phrases: "MIT",
      structure: "MIT",
    });
  });

  it("is deceived by a title over another licence where titles count", () => {
    expect(answers(`MIT License\n\n${isc}`)).toEqual({ similarity: "ISC", phrases: "ISC", structure: "MIT" });
  });
});
