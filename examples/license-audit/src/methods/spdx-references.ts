import licenses from "spdx-license-list/full.js";
import { compareText } from "../order.ts";
import { canonicalLicense } from "../spdx.ts";
import type { ReferenceLicense } from "./similarity.ts";

/** The short notice that some licences tell their users to put into files; many packages ship only that. */
const NOTICES: readonly RegExp[] = [
  /Licensed under the Apache License, Version 2\.0[\s\S]*?limitations under the License\./,
  /This Source Code Form is subject to the terms of the\s+Mozilla[\s\S]*?(?=\n\s*\n)/,
  /This (?:program|library) is free software[^\n]*you can redistribute[\s\S]*?(?=\n\s*\n\s*Also add)/,
];

/**
 * The full texts of the SPDX licence list, one for each canonical identifier, and the notices that approved
 * ones prescribe. Of equal texts
 * the one approved by the OSI comes first and wins, then the shorter identifier.
 */
export function spdxReferences(): ReferenceLicense[] {
  const texts = new Map<string, { text: string; approved: boolean }>();
  for (const [identifier, { licenseText, osiApproved }] of Object.entries(licenses)) {
    const license = canonicalLicense(identifier);
    if (!texts.has(license)) texts.set(license, { text: licenseText, approved: osiApproved });
  }
  const ordered = [...texts].sort(
    ([a, first], [b, second]) =>
      Number(second.approved) - Number(first.approved) || a.length - b.length || compareText(a, b),
  );
  return [
    ...ordered.map(([license, { text }]) => ({ license, text })),
    ...ordered
      .filter(([, { approved }]) => approved)
      .flatMap(([license, { text }]) => noticesIn(text).map((notice) => ({ license, text: notice }))),
  ];
}

function noticesIn(text: string): string[] {
  return NOTICES.flatMap((pattern) => pattern.exec(text)?.[0] ?? []);
}
