import { describe, expect, it } from "vitest";
import { createShingler, licenseWords } from "../../src/methods/shingles.ts";
import { createSimilarityMethod } from "../../src/methods/similarity.ts";
import { spdxReferences } from "../../src/methods/spdx-references.ts";
import {
  isc,
  mit,
  mitBody,
  mitNoAttribution,
  mitWithNotices,
  prose,
  published,
  zeroClauseBsd,
} from "../texts.ts";

const references = [
  { license: "MIT", text: mit },
  { license: "ISC", text: isc },
  { license: "0BSD", text: zeroClauseBsd },
  { license: "MIT-0", text: mitNoAttribution },
];

describe("createSimilarityMethod", () => {
  const classify = createSimilarityMethod(references);

  it("is certain of a reference itself", () => {
    for (const { license, text } of references) {
      expect(classify(text)).toEqual({ result: license, confidence: 1 });
    }
  });

  it("is less sure the more words were changed", () => {
    const little = classify(mit.replace("WITHOUT WARRANTY", "WITH NO WARRANTY")).confidence;
    const more = classify(mit.replaceAll("software", "work").replaceAll("SOFTWARE", "WORK")).confidence;
    expect(little).toBeLessThan(1);
    expect(more).toBeLessThan(little);
  });

  it("prefers the licence that a text is to the shorter one that it contains", () => {
    expect(classify(mitBody).result).toBe("MIT");
    expect(classify(isc).result).toBe("ISC");
  });

  it("bears a sentence that the reference lacks, and sees all the rest of it", () => {
    const sentence = "including without limitation the rights to\nuse, copy, modify, merge, publish, ";
    expect(mit).toContain(sentence);
    const shorter = createSimilarityMethod([{ license: "MIT", text: mit.replace(sentence, "") }]);
    expect(shorter(mit).confidence).toBeGreaterThan(0.95);
  });

  it("prefers the licence that a text is to the one that it extends by a clause", () => {
    const amongAll = createSimilarityMethod(spdxReferences());
    expect(amongAll(published("X11")).result).toBe("X11");
    expect(amongAll(published("JSON")).result).toBe("JSON");
  });

  it("takes the first of several licences in a file", () => {
    expect(classify(`${isc}\n${mit}`).result).toBe("ISC");
    expect(classify(`${mit}\n${isc}`).result).toBe("MIT");
    expect(classify(mitWithNotices).result).toBe("MIT");
  });

  it("recognises the first licence again when the file repeats it after another", () => {
    expect(classify(`${isc.replace("any", "every")}\n${mit}\n${isc}`).result).toBe("ISC");
  });

  it("claims nothing of a text that is like no reference", () => {
    expect(classify(prose).result).toBe("NOASSERTION");
    expect(createSimilarityMethod([])(mit).result).toBe("NOASSERTION");
  });

  it("gives the first of equal references", () => {
    const twins = createSimilarityMethod([
      { license: "ISC", text: isc },
      { license: "Twin", text: isc },
    ]);
    expect(twins(isc).result).toBe("ISC");
  });
});

describe("licenseWords", () => {
  it("leaves out copyright lines, placeholders and addresses", () => {
    const text = "Copyright (c) <year> Ada\n(C) 2020 Bob\nAll rights reserved.\nSee https://example.com now";
    expect(licenseWords(text)).toEqual(["see", "now"]);
  });

  it("keeps a line that is wrapped before copyright notice", () => {
    expect(licenseWords("the above\ncopyright notice")).toEqual(["the", "above", "copyright", "notice"]);
  });

  it("leaves out the instructions after the terms", () => {
    expect(licenseWords("the terms\n\n   END OF TERMS AND CONDITIONS\n\nHow to apply")).toEqual([
      "the",
      "terms",
    ]);
  });
});

describe("createShingler", () => {
  it("gives equal numbers to equal runs of three words, and other numbers to other ones", () => {
    const shingler = createShingler();
    const [first, second] = shingler.shingles("one two three four", { learn: true });
    expect(shingler.shingles("zero one two three")).toContain(first);
    expect(first).not.toBe(second);
    expect(shingler.shingles("three two one")).not.toContain(first);
  });

  it("has none for fewer than three words", () => {
    expect(createShingler().shingles("one two", { learn: true })).toEqual([]);
  });
});

describe("spdxReferences", () => {
  it("has one full text for each canonical licence, the approved ones first", () => {
    const names = spdxReferences().map(({ license }) => license);
    expect(names.indexOf("MIT")).toBeLessThan(names.indexOf("MIT-feh"));
    expect(names).not.toContain("GPL-3.0-only");
    expect(names).not.toContain("GPL-3.0-or-later");
    expect(names.length).toBeGreaterThan(500);
  });

  it("adds the notices that licences prescribe", () => {
    const notices = spdxReferences().filter(({ license }) => license === "Apache-2.0");
    expect(notices).toHaveLength(2);
    expect(notices[1]?.text).toMatch(
      /^Licensed under the Apache License[\s\S]*limitations under the License\.$/,
    );
  });
});
