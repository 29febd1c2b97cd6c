import { describe, expect, it } from "vitest";
import { REFERENCES, TERMS } from "../../src/methods/phrase-rules.ts";
import { classifyByPhrases, normalise } from "../../src/methods/phrases.ts";
import { spdxIdentifier } from "../../src/spdx.ts";
import {
  bsd,
  isc,
  mit,
  mitBody,
  mitNoAttribution,
  mitWithNotices,
  prose,
  published,
  zeroClauseBsd,
} from "../texts.ts";

describe("classifyByPhrases", () => {
  it("takes the first of several licences, and is less sure of it", () => {
    const alone = classifyByPhrases(isc);
    const first = classifyByPhrases(`${isc}\n\n${mit}`);
    expect(first.result).toBe("ISC");
    expect(first.confidence).toBeLessThan(alone.confidence);
  });

  it("lets a condition make another licence of the same grant", () => {
    expect(classifyByPhrases(`${mitBody}\nThe Software shall be used for Good, not Evil.`).result).toBe(
      "JSON",
    );
  });

  it("looks for conditions only where the licence is, not in the notices after it", () => {
    expect(classifyByPhrases(`${bsd(2, { marker: "* " })}\n\n${bsd(3, { marker: "* " })}`).result).toBe(
      "BSD-2-Clause",
    );
    expect(classifyByPhrases(`${zeroClauseBsd}\n\n${isc}`).result).toBe("0BSD");
    expect(classifyByPhrases(`${mitNoAttribution}\n\n${mit}`).result).toBe("MIT-0");
    expect(classifyByPhrases(mitWithNotices).result).toBe("MIT");
  });

  it("does not look for conditions further on than a licence is long", () => {
    const far = "Its name may not be used to endorse or promote products derived from this software.";
    const filler = prose.repeat(3);
    expect(classifyByPhrases(`${bsd(2, { marker: "* " })}${filler}${far}`).result).toBe("BSD-2-Clause");
  });

  it("finds the licence behind a mention of its title", () => {
    const artistic = published("Artistic-2.0");
    const preface = "This program is distributed under The Artistic License 2.0, as follows:";
    expect(classifyByPhrases(`${preface}\n\n${artistic}`)).toEqual(classifyByPhrases(artistic));
  });

  it("reads whole words only", () => {
    expect(classifyByPhrases("They permit license plates.").result).toBe("NOASSERTION");
  });

  it("prefers terms to a name: a title does not outweigh what is granted", () => {
    expect(classifyByPhrases(`Apache License 2.0\n\n${mit}`).result).toBe("MIT");
  });

  it("believes a reference at the top of a file, not one somewhere in it", () => {
    expect(classifyByPhrases("Licensed under the ISC License.")).toEqual({ result: "ISC", confidence: 0.6 });
    expect(classifyByPhrases(`${prose}${prose}It had no ISC License.`).confidence).toBe(0);
  });
});

describe("the rules", () => {
  const rules = [...TERMS, ...REFERENCES];

  it("name canonical SPDX identifiers", () => {
    for (const { license } of rules) expect(spdxIdentifier(license)).toBe(license);
  });

  it("are written in the normal form in which they are looked for", () => {
    for (const { starts, says = [], lacks = [] } of rules) {
      for (const phrase of [...starts, ...says, ...lacks]) expect(normalise(phrase)).toBe(phrase);
    }
  });
});
