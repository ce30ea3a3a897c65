/** An http(s) origin, with credentials that can be decoded if it has some. */
export function isProxyUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, pathname, search, hash, username, password } = new URL(text);
  const isOrigin = /^https?:$/.test(protocol) && pathname === '/' && !search && !hash;
  return isOrigin && isDecodable(username) && isDecodable(password);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
