import pico from "picocolors";
import type { Colors } from "picocolors/types.js";
import type { Io } from "../io.ts";

/** Colours, on a terminal that did not forbid them; elsewhere the plain text. */
export function colorsOf(io: Io): Colors {
  return pico.createColors(io.isTty && !io.env.NO_COLOR);
}
