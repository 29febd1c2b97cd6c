import { type Classification, unrecognised } from "../classification.ts";
import { type Outline, outlineOf } from "./outline.ts";
import { type ShapeMatch, shapeOf } from "./shapes.ts";
import { BSD_FAMILY, type Title, titleIn } from "./titles.ts";

/** What a title must at least have under it, as a share of its licence, to stand over the terms and not for them. */
const TERMS_FROM_SHARE = 0.6;

/**
 * Method 3: what is this text called, and how is it built?
 *
 * Reads only the short lines at the top and counts the rest: words before the disclaimer, words of the disclaimer in
 * capitals, clauses. A title and a shape that agree are close to certain; a title alone or a shape alone is less.
 *
 * It cannot tell licences of one shape apart without a title (MIT and X11), nor long ones at all.
 */
export function classifyByStructure(text: string): Classification {
  const outline = outlineOf(text);
  const title = titleIn(outline.header);
  const shape = shapeOf(outline);
  if (title === undefined) return shape === undefined ? unrecognised : byShape(shape);
  return shape === undefined ? byTitle(title, outline) : byBoth(title, shape);
}

function byShape({ license, fit }: ShapeMatch): Classification {
  return { result: license, confidence: 0.4 + 0.4 * fit };
}

function byTitle({ license, words }: Title, outline: Outline): Classification {
  const complete = outline.words >= words * TERMS_FROM_SHARE;
  // Without clauses to count, the three-clause text is the one that is mostly meant by "BSD".
  if (license === BSD_FAMILY) return { result: "BSD-3-Clause", confidence: 0.3 };
  return { result: license, confidence: complete ? 0.85 : 0.5 };
}

function byBoth(title: Title, shape: ShapeMatch): Classification {
  if (title.license === shape.license) return { result: title.license, confidence: 0.95 };
  const clausesCounted = title.license.startsWith("BSD") && shape.license.startsWith("BSD");
  if (clausesCounted) return { result: shape.license, confidence: title.license === BSD_FAMILY ? 0.9 : 0.7 };
  return byTitleAgainstShape(title);
}

/** A title is what somebody chose, a shape what somebody's editor left of it. */
function byTitleAgainstShape({ license }: Title): Classification {
  return { result: license === BSD_FAMILY ? "BSD-3-Clause" : license, confidence: 0.5 };
}
