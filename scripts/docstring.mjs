// A docstring as Markdown: its text, with what its tags say as sentences, and its example.

const SENTENCES = { '@throws': 'Throws', '@returns': 'Gives', '@default': 'Default:' };

/** `link` makes a name into a link to its entry. */
export function parseComment(comment = '', link) {
  const lines = comment
    .replace(/^\/\*\*|\*\/\s*$/g, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, ''));
  const blocks = [{ tag: '', lines: [] }];
  for (const line of lines) {
    const [, tag, rest] = /^(@\w+) ?(.*)$/.exec(line) ?? [];
    if (tag) blocks.push({ tag, lines: [rest] });
    else blocks.at(-1).lines.push(line);
  }
  const texts = [];
  let example;
  for (const { tag, lines: content } of blocks) {
    const text = content.join('\n').trim();
    if (tag === '@example') example = unescape(text).trim();
    else if (text) texts.push(prose(tag, text, link));
  }
  return { text: texts.join('\n\n'), example };
}

function prose(tag, text, link) {
  const linked = unescape(text).replace(/\{@link (\w+)\}/g, (_, name) => link(name));
  if (!tag) return linked;
  if (tag === '@param') return linked.replace(/^(\S+) - /, '`$1`: ');
  if (!SENTENCES[tag]) throw new Error(`a docstring has ${tag}, which is not known here`);
  return `${SENTENCES[tag]} ${linked.replace(/\.$/, '')}.`;
}

function unescape(text) {
  return text.replace(/\\([^\w\s])/g, '$1');
}
