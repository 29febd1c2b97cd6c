import type { Client } from "pg";

/** One row that anybody overwrites, and one that refuses a lower token. */
export const createTables = `
  CREATE TABLE unfenced (body text);
  CREATE TABLE fenced (body text, fence bigint NOT NULL);
  INSERT INTO unfenced VALUES ('nothing yet');
  INSERT INTO fenced VALUES ('nothing yet', 0);
`;

/** The write as it is mostly seen: right as long as there is one leader. */
export async function writeUnfenced(client: Client, body: string): Promise<void> {
  await client.query("UPDATE unfenced SET body = $1", [body]);
}

/** The same write under a token. False if the row has seen a higher one: the writer leads no more. */
export async function writeFenced(client: Client, body: string, token: number): Promise<boolean> {
  const text = "UPDATE fenced SET body = $1, fence = $2 WHERE fence <= $2";
  const { rowCount } = await client.query(text, [body, token]);
  return rowCount === 1;
}

/** What the rows say in the end. */
export async function readReports(client: Client): Promise<{ unfenced: string; fenced: string }> {
  const { rows } = await client.query<{ unfenced: string; fenced: string }>(
    "SELECT (SELECT body FROM unfenced) AS unfenced, (SELECT body FROM fenced) AS fenced",
  );
  const [row = { unfenced: "", fenced: "" }] = rows;
  return row;
}
