import licenses from "spdx-license-list/full.js";

/** The published text of a licence. */
export function published(identifier: string): string {
  const license = licenses[identifier];
  if (license === undefined) throw new Error(`no licence ${identifier} in the list`);
  return license.licenseText;
}

const asIs = `THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;

const mitGrant = `Permission is hereby granted, free of charge, to any person obtaining a copy of
this software and associated documentation files (the "Software"), to deal in
the Software without restriction, including without limitation the rights to
use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies
of the Software, and to permit persons to whom the Software is furnished to do
so`;

/** The body of the MIT licence, without title and copyright line. */
export const mitBody: string = `${mitGrant}, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

${asIs}
`;

export const mit: string = `The MIT License (MIT)\n\nCopyright (c) 2019 Ada Example <ada@example.com>\n\n${mitBody}`;
export const mitWithoutTitle: string = `Copyright (c) 2012-2021 The Example Authors\n${mitBody}`;
export const mitNoAttribution: string = `Copyright 2020 Ada Example\n\n${mitGrant}.\n\n${asIs}\n`;

const iscDisclaimer = `THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH
REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT,
INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS
OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER
TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`;

/** Wrapped so that a line begins with "copyright notice", which is no copyright line. */
export const isc: string = `Copyright (c) Ada Example and Contributors

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted, provided that the above
copyright notice and this permission notice appear in all copies.

${iscDisclaimer}
`;

export const zeroClauseBsd: string = `Copyright (c) Example Corporation.

Permission to use, copy, modify, and/or distribute this software for any
purpose with or without fee is hereby granted.

${iscDisclaimer}
`;

const bsdDisclaimer = `THIS SOFTWARE IS PROVIDED BY EXAMPLE INC. AND CONTRIBUTORS "AS IS" AND ANY
EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED
WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE ARE
DISCLAIMED. IN NO EVENT SHALL EXAMPLE INC. BE LIABLE FOR ANY DIRECT, INDIRECT,
INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT
LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR
PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF
LIABILITY, WHETHER IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE
OR OTHERWISE) ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF
ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.`;

const bsdClauses = [
  `Redistributions of source code must retain the above copyright notice, this
list of conditions and the following disclaimer.`,
  `Redistributions in binary form must reproduce the above copyright notice, this
list of conditions and the following disclaimer in the documentation and/or
other materials provided with the distribution.`,
  `Neither the name of Example Inc. nor the names of its contributors may be used
to endorse or promote products derived from this software without specific
prior written permission.`,
];

/** A BSD text with two or three clauses, each after `marker`; under the title "BSD License" on request. */
export function bsd(clauses: 2 | 3, options: { readonly marker: string; readonly title?: boolean }): string {
  const title = options.title ? "BSD License\n\n" : "";
  const list = bsdClauses.slice(0, clauses).map((clause) => `${options.marker}${clause}`);
  return `${title}Copyright (c) 2014, Example Inc.
All rights reserved.

Redistribution and use in source and binary forms, with or without
modification, are permitted provided that the following conditions are met:

${list.join("\n\n")}

${bsdDisclaimer}
`;
}

/** The notice that some packages ship in place of the licence that it names. */
export const apacheNotice: string = `Copyright 2018 Ada Example

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this library except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
`;

/** An MIT package that bundles others: its own licence, then theirs. */
export const mitWithNotices: string = `# Example licence

Example is released under the MIT license:

${mit}
# Licenses of bundled dependencies

## left-example
License: BSD-3-Clause

${bsd(3, { marker: "* " })}
---------------------------------------

## right-example
License: Apache-2.0

${published("Apache-2.0")}
---------------------------------------

## small-example
License: ISC

${isc}`;

/** A text with a preface by its own author, set off by a rule. */
export const mitWithPreface: string = `Copyright Example Foundation and other contributors

Based on Another.js, written by many people over several years

This software consists of voluntary contributions made by many individuals. For
the exact history of contributions, see the revision history of the repository.

====

${mitBody}`;

export const commented: (text: string) => string = (text) =>
  `/*\n${text
    .trimEnd()
    .split("\n")
    .map((line) => ` * ${line}`.trimEnd())
    .join("\n")}\n */\n`;

/** A text about something else, of the length of a short licence. */
export const prose: string = `The lighthouse stood at the end of a long stone pier, and every evening its keeper
walked out with a lantern, a loaf of bread and the newspaper of the day before.

He counted the steps, not because he did not know their number, but because a
man who counts is never quite alone. On stormy nights he tied a rope around his
waist, and the other end to an iron ring which his father had set into the wall.
`;
