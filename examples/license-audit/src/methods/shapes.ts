import type { Outline } from "./outline.ts";

/** A licence that a text is shaped like. */
export interface ShapeMatch {
  readonly license: string;
  /** From 0 (just within the tolerance) to 1 (to the word). */
  readonly fit: number;
}

interface Shape {
  readonly license: string;
  /** Words of the grant and its conditions, before the disclaimer. */
  readonly body: number;
  /** Words of the disclaimer in capitals; 0 where it is in ordinary case. */
  readonly capitals: number;
  /** Number of conditions set as list items. */
  readonly items: number;
}

/** How far each measure may be off: names and small rewordings change a few words in a hundred. */
const TOLERANCE = 0.22;

// Measured on the published texts.
const shapes: readonly Shape[] = [
  { license: "MIT", body: 86, capitals: 76, items: 0 },
  { license: "MIT-0", body: 61, capitals: 76, items: 0 },
  { license: "ISC", body: 33, capitals: 76, items: 0 },
  { license: "0BSD", body: 19, capitals: 78, items: 0 },
  { license: "BSD-2-Clause", body: 69, capitals: 116, items: 2 },
  { license: "BSD-3-Clause", body: 100, capitals: 116, items: 3 },
  { license: "BSD-4-Clause", body: 124, capitals: 110, items: 4 },
  { license: "Zlib", body: 132, capitals: 0, items: 3 },
];

/**
 * The short licence whose measures this outline has. Long licences are not told by shape: their copies differ in
 * appendices by more than they differ from each other.
 */
export function shapeOf(outline: Outline): ShapeMatch | undefined {
  let best: ShapeMatch | undefined;
  for (const shape of shapes) {
    const body = outline.prose.words + outline.items.words;
    const off = Math.max(
      deviation(body, shape.body),
      deviation(outline.capitalWords, shape.capitals),
      listDeviation(outline, shape),
    );
    const fit = 1 - off / TOLERANCE;
    if (fit > 0 && fit > (best?.fit ?? 0)) best = { license: shape.license, fit };
  }
  return best;
}

/** Conditions may be set as plain paragraphs; a list with another number of them speaks against the licence. */
function listDeviation(outline: Outline, shape: Shape): number {
  if (outline.items.count === shape.items) return 0;
  // Without a disclaimer in capitals the list is all that sets a shape apart.
  if (shape.capitals === 0) return 1;
  return outline.items.count === 0 ? 0 : TOLERANCE * 0.75;
}

function deviation(measured: number, expected: number): number {
  if (expected === 0) return measured === 0 ? 0 : 1;
  return Math.abs(measured - expected) / expected;
}
