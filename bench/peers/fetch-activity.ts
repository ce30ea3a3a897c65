import { cancellationSignal } from '@temporalio/activity';
import { Agent, fetch } from 'undici';

/** Slow answers are the point: undici's own five minutes must not end them. */
const dispatcher = new Agent({ headersTimeout: 0, bodyTimeout: 0 });

/** What a user would write without Patient HTTP; the result is as much of the response. */
export async function fetchUrl(url: string) {
  const response = await fetch(url, { dispatcher, signal: cancellationSignal() });
  const headers = Object.fromEntries(response.headers);
  return { status: response.status, headers, url: response.url, body: await response.text() };
}
