import { expect, it } from "vitest";
import { configKeys } from "../../src/config/keys.ts";
import { configJsonSchema, renderReference } from "../../src/config/reference.ts";

const docs = (name: string): string => new URL(`../../../../docs/${name}`, import.meta.url).pathname;

// After a change of the schema: npx vitest run --project control-plane test/config/reference.test.ts -u

it("the reference page is that of the schema", async () => {
  await expect(renderReference()).toMatchFileSnapshot(docs("configuration.md"));
});

it("the schema for editors is that of the schema", async () => {
  const text = `${JSON.stringify(configJsonSchema(), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot(docs("parallax.config.schema.json"));
});

it("every key says what it is for", () => {
  const silent = configKeys().filter(({ description }) => description === "");
  expect(silent.map(({ path }) => path.join("."))).toEqual([]);
});
