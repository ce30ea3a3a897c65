// Puts what the server has drawn anew into the page. Everything works without it.
const source = document.body.dataset.live;
const button = document.getElementById('live');
if (source && button) follow(source, button);

/** ms until a connection that the browser has given up is tried again; else it does so by itself. */
const RETRY = 3_000;

/** @param {string} url @param {HTMLElement} button */
function follow(url, button) {
  const name = button.textContent;
  let events;
  let again;
  const reopen = () => {
    close();
    if (!document.hidden) open();
  };
  const open = () => {
    events = new EventSource(url);
    events.addEventListener('open', () => show('on'));
    events.addEventListener('error', () => {
      show('lost');
      // After an answer that is none of ours, as of a proxy whose server restarts, it gives up.
      if (events?.readyState === EventSource.CLOSED) again ??= setTimeout(reopen, RETRY);
    });
    events.addEventListener('region', ({ data }) => {
      const [id] = data.split('\n', 1);
      const old = document.getElementById(id);
      if (!old) return;
      const fresh = old.cloneNode(false);
      fresh.innerHTML = data.slice(id.length + 1);
      const { activeElement } = document;
      morph(old, fresh);
      // Moving a row takes the focus out of it.
      if (activeElement !== document.activeElement && activeElement?.isConnected)
        activeElement.focus({ preventScroll: true });
    });
  };
  const close = () => {
    clearTimeout(again);
    again = undefined;
    events?.close();
    events = undefined;
    show('off');
  };
  const show = (state) => {
    button.dataset.state = state;
    button.setAttribute('aria-pressed', String(state !== 'off'));
    button.textContent = state === 'lost' ? button.dataset.off : name;
  };
  let isWanted = true;
  button.addEventListener('click', () => {
    isWanted = !isWanted;
    if (isWanted) open();
    else close();
  });
  // A page that nobody sees costs nothing.
  document.addEventListener('visibilitychange', () => {
    if (!isWanted) return;
    if (document.hidden) close();
    else if (!events) open();
  });
  if (!document.hidden) open();
}

/**
 * Makes `old` what `fresh` is, and leaves in place what has not changed: focus, selection, scroll
 * positions and open details stay. Elements with an id keep their identity when they move.
 * @param {Element} old @param {Element} fresh
 */
function morph(old, fresh) {
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && name !== 'open') old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  const known = new Map([...old.children].filter(({ id }) => id).map((child) => [child.id, child]));
  let next = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const like = child.id ? known.get(child.id) : next;
    if (!like || like.nodeName !== child.nodeName || (!child.id && like.id)) {
      old.insertBefore(child, next);
      continue;
    }
    if (like === next) next = next.nextSibling;
    else old.insertBefore(like, next);
    if (like.nodeType === Node.ELEMENT_NODE) morph(like, child);
    else if (like.data !== child.data) like.data = child.data;
  }
  while (next) {
    const gone = next;
    next = next.nextSibling;
    gone.remove();
  }
}
