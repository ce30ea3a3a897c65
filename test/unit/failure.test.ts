import {
  ActivityFailure,
  ApplicationFailure,
  CancelledFailure,
  ChildWorkflowFailure,
  TimeoutFailure,
  type RetryState,
} from '@temporalio/common';
import { describe, expect, test } from 'vitest';
import { validateSpec } from '../../activities/resolve-spec.ts';
import { resolveOptions } from '../../src/config/options.ts';
import { requestError, type WireResponse } from '../../src/index.ts';
import { RequestError, type FailureContext } from '../../src/shared/errors.ts';
import { failureDetail, wireError } from '../../src/shared/failure.ts';
import { fromActivity, toFailure } from '../../workflows/failure.ts';

const context: FailureContext = {
  url: 'https://user:pass@api.test/path?token=hidden#part',
  method: 'GET',
  requestId: 'id-1',
  durationMs: 12.6,
  attempt: 2,
};

const response: WireResponse = {
  status: 500,
  headers: { 'content-type': 'text/plain' },
  body: 'short',
  bodyEncoding: 'utf8',
  url: 'https://api.test/final?token=hidden',
  method: 'GET',
  redirects: ['https://api.test/path?token=hidden'],
  requestId: 'id-1',
  durationMs: 12,
  attempt: 2,
  callbackArgs: { order: 17 },
};

const statusError = (over: Partial<WireResponse> = {}) =>
  new RequestError('HttpStatusError', 'HTTP 500', {
    phase: 'sent',
    response: { ...response, ...over },
  });

const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('the detail of a failure', () => {
  test('has the fields of the contract', () => {
    const error = wireError(new RequestError('TimeoutError', 'late', { phase: 'sent' }), context);
    expect(error).toStrictEqual({
      type: 'TimeoutError',
      errorType: 'timeout',
      message: 'late',
      url: 'https://api.test/path',
      method: 'GET',
      requestId: 'id-1',
      durationMs: 13,
      phase: 'sent',
      attempt: 2,
    });
    const { type: _, ...detail } = error;
    expect(failureDetail(error)).toStrictEqual(detail);
  });

  test('a small response stays whole, but for queries', () => {
    expect(wireError(statusError(), context).response).toStrictEqual({
      ...response,
      url: 'https://api.test/final',
      redirects: ['https://api.test/path'],
    });
  });

  test.each(['set-cookie', 'location', 'content-location', 'refresh', 'link'])(
    'a response is without its %s',
    (name) => {
      const kept = { 'content-type': 'text/plain', 'x-request-id': 'id-1' };
      const headers = { ...kept, [name]: 'https://api.test/?token=hidden' };
      expect(wireError(statusError({ headers }), context).response!.headers).toEqual(kept);
    },
  );

  test.each<[string, number, number]>([
    ['a', 2048, 2048],
    ['a', 2049, 2048],
    ['a', 1_000_000, 2048],
  ])('a body of %s times %i is cut to %i', (character, length, kept) => {
    const body = character.repeat(length);
    const { body: cut, bodyTruncated } = wireError(statusError({ body }), context).response!;
    expect(cut).toBe(character.repeat(kept));
    expect(bodyTruncated).toBe(length > kept ? true : undefined);
  });

  test('a base64 body is cut where it still decodes', () => {
    const body = Buffer.alloc(3001, 7).toString('base64');
    const error = statusError({ body, bodyEncoding: 'base64', headers: { big: 'x'.repeat(900) } });
    const { body: cut, bodyTruncated } = wireError(error, context).response!;
    expect(bodyTruncated).toBe(true);
    expect(cut!.length % 4).toBe(0);
    expect(Buffer.from(cut!, 'base64')).toEqual(Buffer.alloc((cut!.length / 4) * 3, 7));
  });

  test('a cut never halves a character', () => {
    const body = '😀'.repeat(3000);
    for (const start of ['', 'x']) {
      const { response: cut } = wireError(statusError({ body: start + body }), context);
      expect(cut!.body!.length).toBeGreaterThan(100);
      expect(cut!.body).toMatch(/^x?(😀)+\ufffd?$/u);
    }
  });

  test.each<[string, Partial<FailureContext>, string, Partial<WireResponse>]>([
    ['body', {}, 'm', { body: 'x'.repeat(1e6) }],
    ['control characters', {}, '\u0001'.repeat(1e5), { body: '\u0001'.repeat(1e5) }],
    ['other alphabets', {}, 'é'.repeat(1e5), { body: '漢'.repeat(1e5) }],
    ['headers', {}, 'm', { headers: { 'content-type': 'é'.repeat(1e5), b: 'x'.repeat(1e5) } }],
    ['redirects', {}, 'm', { redirects: Array(50).fill('https://api.test/'.padEnd(900, 'x')) }],
    ['callbackArgs', {}, 'm', { callbackArgs: 'x'.repeat(1e6) }],
    [
      'everything',
      {
        url: `https://api.test/${'x'.repeat(1e5)}`,
        method: 'é'.repeat(1e5),
        requestId: `${'w'.repeat(1000)}/${'r'.repeat(36)}`,
      },
      'é"\n'.repeat(1e5),
      {
        body: '\u0000😀'.repeat(1e5),
        url: `https://api.test/${'é'.repeat(1e5)}`,
        requestId: `${'w'.repeat(1000)}/${'r'.repeat(36)}`,
        headers: { 'content-type': 'x'.repeat(1e4), date: '"'.repeat(1e4) },
      },
    ],
  ])('is under 4 KB whatever the size of %s', (_, over, message, huge) => {
    const error = new RequestError('HttpStatusError', message, {
      response: { ...response, ...huge },
    });
    const detail = wireError(error, { ...context, ...over });
    expect(bytes(detail)).toBeLessThan(4000);
    expect(detail.response).toMatchObject({ status: 500, method: 'GET' });
    expect(detail.message).not.toBe('');
  });
});

const detail = { errorType: 'timeout', message: 'late', attempt: 2, phase: 'sent' };
const ours = (type = 'TimeoutError', details: unknown[] = [detail]) =>
  ApplicationFailure.create({ type, message: 'late', details });

const activity = (cause: Error | undefined, retryState: RetryState = 'NON_RETRYABLE_FAILURE') =>
  new ActivityFailure('Activity failed', 'submitRequest', 'id', retryState, 'worker', cause);
const child = (cause: Error) =>
  new ChildWorkflowFailure(
    'default',
    { workflowId: 'w' },
    'patientGet',
    'NON_RETRYABLE_FAILURE',
    cause,
  );

describe('requestError', () => {
  const expected = { type: 'TimeoutError', ...detail };

  test('finds the request error behind whatever wraps it', () => {
    expect(requestError(ours())).toEqual(expected);
    expect(requestError(activity(ours()))).toEqual(expected);
    expect(requestError(child(ours()))).toEqual(expected);
    expect(requestError(child(activity(ours())))).toEqual(expected);
    const outside = Object.assign(new Error('Workflow failed', { cause: ours() }), {
      name: 'WorkflowFailedError',
    });
    expect(requestError(outside)).toEqual(expected);
  });

  test('finds a cancellation that says how far the request came', () => {
    const cancelled = { ...detail, errorType: 'cancelled' };
    const failure = activity(new CancelledFailure('cancelled', [cancelled]));
    expect(requestError(failure)).toEqual({ type: 'CancelledError', ...cancelled });
  });

  test.each<[string, unknown]>([
    ['no error', undefined],
    ['text', 'TimeoutError'],
    ['any error', new Error('TimeoutError')],
    ["a user's own type", ours('PaymentRefused', [])],
    ["a user's own type with a name of ours", ours('TimeoutError', [])],
    ['… and details of its own', ours('ConnectionError', ['text'])],
    ['a cancellation without detail', new CancelledFailure('cancelled')],
    ["a cancellation with a user's detail", new CancelledFailure('cancelled', ['why'])],
    ['a timeout of Temporal', activity(new TimeoutFailure('late', undefined, 'START_TO_CLOSE'))],
    ['an error that holds one', new Error('mine', { cause: ours() })],
  ])('is undefined for %s', (_, error) => {
    expect(requestError(error)).toBeUndefined();
  });
});

describe('what a submit activity fails with', () => {
  test("is the request's own failure", () => {
    const cause = ours();
    expect(fromActivity(activity(cause), context)).toBe(cause);
  });

  test('a cancellation stays one', () => {
    const failure = activity(new CancelledFailure('cancelled'));
    expect(fromActivity(failure, context)).toBe(failure);
    const other = new Error('not of an activity');
    expect(fromActivity(other, context)).toBe(other);
  });

  test.each<[string, Error | undefined, object]>([
    ['a failed try', ours(), { phase: 'sent', attempt: 2 }],
    ['a hand-over', ours('Returned', []), { phase: 'queued', attempt: 1 }],
    ['nothing', undefined, { phase: 'queued', attempt: 1 }],
  ])('a cancel after %s is a cancellation too', (_, cause, progress) => {
    const failure = fromActivity(activity(cause, 'CANCEL_REQUESTED'), context);
    expect(failure).toBeInstanceOf(CancelledFailure);
    expect(requestError(failure)).toMatchObject({
      type: 'CancelledError',
      errorType: 'cancelled',
      requestId: 'id-1',
      ...progress,
    });
  });

  test.each<[unknown, string]>([
    [{ sent: true, tries: 0, returns: 0 }, 'sent'],
    [{ sent: false, tries: 1, returns: 0 }, 'queued'],
    [undefined, 'queued'],
  ])("Temporal's timeout after heartbeat %j has the phase %s", (heartbeat, phase) => {
    const cause = new TimeoutFailure('late', heartbeat, 'SCHEDULE_TO_CLOSE');
    const failure = fromActivity(activity(cause, 'TIMEOUT'), context);
    expect(failure).toBeInstanceOf(ApplicationFailure);
    expect(requestError(failure)).toMatchObject({
      type: 'TimeoutError',
      message: 'The deadline passed in Temporal (SCHEDULE_TO_CLOSE)',
      url: 'https://api.test/path',
      phase,
    });
  });

  test.each([
    [
      'a foreign failure',
      ApplicationFailure.create({ type: 'Codec', message: 'broken' }),
      'broken',
    ],
    ['no cause', undefined, 'Activity failed'],
  ])('%s is UnknownError', (_, cause, message) => {
    const failure = fromActivity(activity(cause), context);
    expect(requestError(failure)).toMatchObject({ type: 'UnknownError', message });
    expect((failure as ApplicationFailure).nonRetryable).toBe(true);
  });

  test('a failure made in workflow code is like one made by a worker', () => {
    const failure = toFailure(new RequestError('InvalidRequestError', 'wrong'), context);
    expect(failure).toMatchObject({ type: 'InvalidRequestError', message: 'wrong' });
    expect(failure.nonRetryable).toBe(true);
    expect(failure.details).toEqual([
      expect.objectContaining({ errorType: 'invalid_request', phase: 'prepare', attempt: 2 }),
    ]);
  });
});

test('what the validation itself stumbles over is refused, not retried for ever', () => {
  const spec = {
    url: 'https://api.test/',
    get timeout(): number {
      throw new RangeError('hidden');
    },
  };
  expect(() => validateSpec(spec, { requestId: 'id-1' }, resolveOptions())).toThrow(
    expect.objectContaining({
      type: 'InvalidRequestError',
      message: 'spec: expected one that can be validated, got RangeError',
      nonRetryable: true,
    }),
  );
});
