import { describe, expect, it } from "vitest";
import { createLicenseAgent } from "../../src/agents/license-agent.ts";
import { classifyByPhrases } from "../../src/methods/phrases.ts";
import { CAPABILITY } from "../../src/pattern.ts";
import { isc } from "../texts.ts";

const agent = createLicenseAgent({
  controlPlaneUrl: "http://127.0.0.1:1",
  name: "phrases",
  classify: classifyByPhrases,
});

describe("an agent of the audit", () => {
  it("answers a text with its method's result and confidence", async () => {
    const answer = await agent.handle({ capability: CAPABILITY, input: { content: isc } });
    expect(answer).toEqual({ result: "ISC", confidence: 0.95 });
  });

  it("shows its method nothing but the text", async () => {
    const seen: unknown[][] = [];
    const spy = createLicenseAgent({
      controlPlaneUrl: "http://127.0.0.1:1",
      classify: (...given) => {
        seen.push(given);
        return { result: "MIT", confidence: 1 };
      },
    });
    await spy.handle({ capability: CAPABILITY, input: { content: isc, declared: "ISC" } });
    expect(seen).toEqual([[isc]]);
  });

  it.each([undefined, null, "a text", { text: "a text" }, { content: 7 }])(
    "refuses %j for good: another attempt would be no better",
    async (input) => {
      await expect(agent.handle({ capability: CAPABILITY, input })).rejects.toMatchObject({
        code: "invalid_input",
        details: { retryable: false },
      });
    },
  );
});
