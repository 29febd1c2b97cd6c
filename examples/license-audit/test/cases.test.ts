import { describe, expect, it } from "vitest";
import { groupByText, textId } from "../src/cases.ts";
import type { LicensedPackage } from "../src/collect.ts";

const packaged = (name: string, license: string, text: string): LicensedPackage => ({
  name,
  version: "1.0.0",
  license,
  text,
});

describe("textId", () => {
  it("is blind to wrapping and indentation", () => {
    expect(textId("Permission is\n  hereby granted\n")).toBe(textId("Permission is hereby\r\ngranted"));
  });

  it("tells apart what differs in a word", () => {
    expect(textId("Copyright 2020 Ada")).not.toBe(textId("Copyright 2021 Ada"));
  });
});

describe("groupByText", () => {
  it("makes one case of packages with the same text", () => {
    const { cases } = groupByText([packaged("b", "MIT", "a text"), packaged("a", "MIT", "a  text\n")]);
    expect(cases).toHaveLength(1);
    expect(cases[0]).toMatchObject({ truth: "MIT", packages: ["a@1.0.0", "b@1.0.0"] });
  });

  it("lets most packages decide on a contested text, and lists it", () => {
    const { cases, conflicts } = groupByText([
      packaged("a", "ISC", "text"),
      packaged("b", "MIT", "text"),
      packaged("c", "MIT", "text"),
    ]);
    expect(cases.map(({ truth }) => truth)).toEqual(["MIT"]);
    expect(conflicts).toEqual([{ id: textId("text"), declared: { ISC: 1, MIT: 2 }, truth: "MIT" }]);
  });

  it("decides a tie by the alphabet, so that two runs agree", () => {
    const packages = [packaged("a", "MIT", "text"), packaged("b", "ISC", "text")];
    expect(groupByText(packages).cases[0]?.truth).toBe("ISC");
    expect(groupByText(packages.toReversed()).cases[0]?.truth).toBe("ISC");
  });

  it("orders cases by their id, whatever the order of the packages", () => {
    const packages = ["one", "two", "three"].map((text) => packaged(text, "MIT", text));
    expect(groupByText(packages)).toEqual(groupByText(packages.toReversed()));
  });
});
