/** A title, and what stands under it where it is not a mere reference. */
export interface Title {
  /** The licence; a family where the title leaves open which. */
  readonly license: string;
  /** Words of the whole licence text. */
  readonly words: number;
}

/** The title "BSD License" stands over texts of two, three and four clauses. */
export const BSD_FAMILY = "BSD";

// Of two that match at the same place the upper one counts: "MIT No Attribution" contains "MIT".
const titles: readonly (readonly [pattern: RegExp, license: string, words: number])[] = [
  [/\bmit (?:0|no attribution)\b/, "MIT-0", 144],
  [/\b(?:0bsd|bsd zero clause|zero clause bsd|free public license 1 0 0)\b/, "0BSD", 103],
  [/\b(?:bsd 2 clause|2 clause bsd|two clause bsd|simplified bsd|freebsd)\b/, "BSD-2-Clause", 189],
  [
    /\b(?:bsd 3 clause|3 clause bsd|three clause bsd|new bsd|revised bsd|modified bsd)\b/,
    "BSD-3-Clause",
    220,
  ],
  [/\b(?:bsd 4 clause|4 clause bsd|original bsd)\b/, "BSD-4-Clause", 241],
  [/\bbsd\b/, BSD_FAMILY, 189],
  [/\bx11 license\b/, "X11", 216],
  [/\bapache (?:software )?license (?:version )?2 0\b/, "Apache-2.0", 1_585],
  [/\bmozilla public license version 2 0\b/, "MPL-2.0", 2_350],
  [/\bmozilla public license version 1 1\b/, "MPL-1.1", 3_700],
  [/\baffero general public license version 3\b/, "AGPL-3.0", 5_539],
  [/\blesser general public license version 3\b/, "LGPL-3.0", 1_200],
  [/\blesser general public license version 2 1\b/, "LGPL-2.1", 4_374],
  [/\blibrary general public license version 2\b/, "LGPL-2.0", 4_200],
  [/\bgeneral public license version 3\b/, "GPL-3.0", 5_650],
  [/\bgeneral public license version 2\b/, "GPL-2.0", 2_912],
  [/\bcc0 1 0 universal\b/, "CC0-1.0", 1_070],
  [/\battribution sharealike 4 0 international\b/, "CC-BY-SA-4.0", 2_761],
  [/\battribution sharealike 3 0 unported\b/, "CC-BY-SA-3.0", 3_300],
  [/\battribution noncommercial 4 0 international\b/, "CC-BY-NC-4.0", 2_600],
  [/\battribution 4 0 international\b/, "CC-BY-4.0", 2_566],
  [/\battribution 3 0 unported\b/, "CC-BY-3.0", 2_981],
  [/\bblue oak model license\b/, "BlueOak-1.0.0", 247],
  [/\bpython software foundation license version 2\b/, "Python-2.0", 1_433],
  [/\bartistic license 2 0\b/, "Artistic-2.0", 1_371],
  [/\beclipse public license v(?:ersion)? 2 0\b/, "EPL-2.0", 2_134],
  [/\beclipse public license v(?:ersion)? 1 0\b/, "EPL-1.0", 1_700],
  [/\bboost software license version 1 0\b/, "BSL-1.0", 210],
  [/\bsil open font license version 1 1\b/, "OFL-1.1", 641],
  [/\bunicode license v3\b/, "Unicode-3.0", 319],
  [/\bunicode inc license agreement data files and software\b/, "Unicode-DFS-2016", 400],
  [/\b(?:wtfpl|do what the f\w*k you want to public license)\b/, "WTFPL", 74],
  // Its first sentence is what it has for a title.
  [/\bunlicense\b|^this is free and unencumbered software/, "Unlicense", 198],
  [/\buniversity of illinois ncsa\b/, "NCSA", 250],
  [/\bzlib(?: libpng)? license\b/, "Zlib", 134],
  [/\bisc\b/, "ISC", 127],
  [/\bmit\b|\bexpat license\b/, "MIT", 169],
];

/** The licence that the short lines at the top of a file name; of several, the first: "MIT License (X11)" is MIT. */
export function titleIn(header: string): Title | undefined {
  const line = header
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, " ")
    .trim();
  let first: { position: number; title: Title } | undefined;
  for (const [pattern, license, words] of titles) {
    const position = line.search(pattern);
    if (position >= 0 && (first === undefined || position < first.position)) {
      first = { position, title: { license, words } };
    }
  }
  return first?.title;
}
