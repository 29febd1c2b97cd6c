/** What an agent answers about one text: the wire format of the `content-classifier` pattern. */
export interface Classification {
  /** A canonical SPDX identifier (see `canonicalLicense`), or {@link UNRECOGNISED}. */
  readonly result: string;
  /** From 0 (no idea) to 1 (certain). Each method works it out in its own way; only its order means something. */
  readonly confidence: number;
}

/** A method: a pure function of the text alone. It never sees where the text came from. */
export type Classify = (text: string) => Classification;

/** SPDX's own word for "nothing is claimed": what a method answers when it recognises no licence. */
export const UNRECOGNISED = "NOASSERTION";

/** The answer of a method that recognises nothing. */
export const unrecognised: Classification = { result: UNRECOGNISED, confidence: 0 };
