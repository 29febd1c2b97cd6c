/** The items of all pages, one page after the other, from the one that `cursor` names on. */
export async function* allPages<Page extends { readonly cursor?: string | undefined }, Item>(
  cursor: string | undefined,
  list: (cursor: string | undefined) => Promise<Page>,
  itemsOf: (page: Page) => readonly Item[],
): AsyncGenerator<Item, void, undefined> {
  let next = cursor;
  do {
    const page = await list(next);
    yield* itemsOf(page);
    next = page.cursor;
  } while (next !== undefined);
}
