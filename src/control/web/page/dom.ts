/** Elements, made of text that may come from anywhere: nothing is ever parsed as HTML. */

type Child = Node | string;

export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** The page's own element with this id. */
export function byId<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as Type;
}

/** Only what differs is touched: the reader's selection and the screen reader's place stay. */
export function setText(node: Node, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

export function setClass(node: Element, name: string): void {
  if (node.className !== name) node.className = name;
}

/** A list of sentences; hidden when there are none. */
export function setNotes(list: HTMLElement, notes: readonly string[]): void {
  list.hidden = notes.length === 0;
  while (list.children.length > notes.length) list.lastElementChild?.remove();
  for (const [i, note] of notes.entries()) setText(list.children[i] ?? list.appendChild(element('li')), note);
}

/** The boxes that tables are in, for who scrolls by keys: not every browser lets the focus into what has nothing to press. */
export function nameScrollBoxes(): void {
  for (const box of document.querySelectorAll<HTMLElement>('.wide')) {
    const caption = box.querySelector('caption')?.textContent;
    if (caption === null || caption === undefined) continue;
    box.tabIndex = 0;
    box.setAttribute('role', 'group');
    box.setAttribute('aria-label', caption);
  }
}
