// Makes the elements of the documents' pages. Everything in a document is put in as text, never as markup.

/** An element with properties (`class` and `id` among them) and children; null children are left out. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) made.setAttribute(key, value);
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function link(href, ...children) {
  return element('a', { href }, ...children);
}

export function code(text) {
  return element('code', {}, text);
}

/** An error code, with a link to what it means. */
export function codeLink(name) {
  return link(`#code-${name}`, code(name));
}

/** Text with `code` between backticks. */
export function inline(text) {
  return text.split('`').map((part, index) => (index % 2 === 1 ? code(part) : part));
}

/** Paragraphs, with lines that begin with a dash as a list. */
export function prose(text) {
  return text.split('\n\n').map((part) => {
    const lines = part.split('\n');
    if (!part.startsWith('- ')) return element('p', {}, ...inline(lines.join(' ')));
    return element(
      'ul',
      { class: 'points' },
      ...lines.map((line) => element('li', {}, ...inline(line.replace(/^- /, '')))),
    );
  });
}

export function example(title, value) {
  const text = typeof value === 'string' ? value : JSON.stringify(value, null, 2);
  return element('figure', { class: 'example' }, element('figcaption', {}, title), element('pre', {}, code(text)));
}

/** A table of rows of cells; a cell is a text, an element, or a list of both. */
export function table(heads, rows) {
  return element(
    'div',
    { class: 'wide' },
    element(
      'table',
      {},
      element('thead', {}, element('tr', {}, ...heads.map((head) => element('th', { scope: 'col' }, head)))),
      element(
        'tbody',
        {},
        ...rows.map(({ id, cells }) =>
          element('tr', id ? { id } : {}, ...cells.map((cell) => element('td', {}, ...[cell].flat()))),
        ),
      ),
    ),
  );
}

/** Two columns where there is room: what to know, and what it looks like. */
export function beside(left, right) {
  return element(
    'div',
    { class: 'beside' },
    element('div', {}, ...left),
    element('div', { class: 'examples' }, ...right),
  );
}

/** Reads the document, shows it, and goes to the place that the address names. */
export async function show(url, render) {
  const [contents, content] = [document.querySelector('#contents'), document.querySelector('#content')];
  try {
    const answer = await fetch(url);
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    const { groups, parts } = render(await answer.json());
    content.replaceChildren(...parts);
    contents.replaceChildren(...contentsOf(groups, url));
  } catch (error) {
    content.replaceChildren(
      element('p', { class: 'error', role: 'alert' }, `The document cannot be shown: ${error.message}`),
    );
    return;
  }
  if (location.hash) document.getElementById(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

function contentsOf(groups, url) {
  const pages = [
    ['rest', 'REST'],
    ['socket', 'Socket'],
  ];
  return [
    element('p', { class: 'wordmark' }, link('..', 'Roomlog')),
    element('p', { class: 'pages' }, ...pages.map(([href, title]) => link(href, title)), link(url, 'JSON')),
    ...groups.flatMap(([title, entries]) => [
      element('h2', {}, title),
      element('ul', {}, ...entries.map(([id, text]) => element('li', {}, link(`#${id}`, ...[text].flat())))),
    ]),
  ];
}
