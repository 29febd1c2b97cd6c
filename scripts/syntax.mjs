import { parseSync, visitorKeys } from "oxc-parser";

/**
 * @typedef {{ type: string, start: number, end: number } & Record<string, unknown>} SyntaxNode
 */

/**
 * @param {unknown} value
 * @returns {value is SyntaxNode}
 */
function isNode(value) {
  return typeof value === "object" && value !== null && "type" in value && "start" in value && "end" in value;
}

/**
 * Every node of a TypeScript source, parents first.
 *
 * @param {string} path Names the file in errors.
 * @param {string} source
 * @returns {Generator<SyntaxNode>}
 */
export function* syntaxNodes(path, source) {
  const { program, errors } = parseSync(path, source, { lang: "ts", sourceType: "module" });
  if (errors[0] !== undefined) throw new Error(`could not parse ${path}: ${errors[0].message}`);
  const open = [/** @type {unknown} */ (program)];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (!isNode(node)) continue;
    yield node;
    const children = (visitorKeys[node.type] ?? []).flatMap(
      (key) => /** @type {SyntaxNode} */ (node)[key] ?? [],
    );
    open.push(...children.filter(isNode).reverse());
  }
}

/**
 * The line of an offset, counted from 1.
 *
 * @param {string} source
 * @param {number} offset
 */
export function lineAt(source, offset) {
  let line = 1;
  for (let at = source.indexOf("\n"); at !== -1 && at < offset; at = source.indexOf("\n", at + 1)) line += 1;
  return line;
}
