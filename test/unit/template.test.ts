import { describe, expect, test } from 'vitest';
import type { RequestSpec } from '../../src/index.ts';
import { applyTemplate, mergeTemplates, type RequestTemplate } from '../../src/shared/template.ts';

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const item of Object.values(value)) deepFreeze(item);
    Object.freeze(value);
  }
  return value;
}

const apply = (template: RequestTemplate, spec: RequestSpec) =>
  applyTemplate(deepFreeze(template), deepFreeze(spec));

describe('URLs', () => {
  test.each([
    ['https://api.test', 'items', 'https://api.test/items'],
    ['https://api.test', '/items', 'https://api.test/items'],
    ['https://api.test/', '/items', 'https://api.test/items'],
    ['https://api.test/v1', 'items', 'https://api.test/v1/items'],
    ['https://api.test/v1', '/items', 'https://api.test/v1/items'],
    ['https://api.test/v1/', 'items/', 'https://api.test/v1/items/'],
    ['https://api.test/v1/', '/items', 'https://api.test/v1/items'],
    ['https://api.test/v1', '', 'https://api.test/v1'],
    ['https://api.test/v1/', '', 'https://api.test/v1/'],
    ['https://api.test/v1', '?page=2', 'https://api.test/v1?page=2'],
    ['https://api.test/v1?key=1', 'items', 'https://api.test/v1/items?key=1'],
    ['https://api.test/v1?key=1', 'items?page=2', 'https://api.test/v1/items?key=1&page=2'],
    ['https://api.test/v1?key=1', 'items?', 'https://api.test/v1/items?key=1'],
    ['https://api.test/v1', 'items?q=a%2Fb&c=%20', 'https://api.test/v1/items?q=a%2Fb&c=%20'],
    ['https://api.test/v1', 'items?q=a?b', 'https://api.test/v1/items?q=a?b'],
    ['https://api.test/v1', 'a%2Fb', 'https://api.test/v1/a%2Fb'],
    ['https://api.test/v1', 'grüße', 'https://api.test/v1/gr%C3%BC%C3%9Fe'],
    ['https://api.test/v1', 'items#part', 'https://api.test/v1/items'],
    ['https://api.test:8443/v1', 'items', 'https://api.test:8443/v1/items'],
    ['https://api.test/v1', 'https://other.test/x', 'https://other.test/x'],
    ['https://api.test/v1', 'HTTP://other.test/x', 'HTTP://other.test/x'],
    // Another host only by an absolute URL.
    ['https://api.test/v1', '//other.test/x', 'https://api.test/v1//other.test/x'],
  ])('%s and %s make %s', (baseUrl, url, expected) => {
    expect(apply({ baseUrl }, { url }).url).toBe(expected);
  });

  test('without a base stay as they are', () => {
    expect(apply({}, { url: 'whatever' })).toEqual({ url: 'whatever' });
  });

  test('that are no text are left for the validation', () => {
    const url = undefined as unknown as string;
    expect(apply({ baseUrl: 'https://api.test' }, { url })).toEqual({ url });
  });

  test('a base below a base, and one that replaces it', () => {
    const merge = (baseUrl: string) =>
      mergeTemplates({ baseUrl: 'https://api.test/v1' }, { baseUrl });
    expect(merge('users').baseUrl).toBe('https://api.test/v1/users');
    expect(merge('https://other.test').baseUrl).toBe('https://other.test');
  });

  test('a base that is none is named', () => {
    expect(() => apply({ baseUrl: 'api.test' }, { url: '/x' })).toThrow(
      expect.objectContaining({
        type: 'InvalidRequestError',
        message: 'baseUrl: expected an absolute URL, got "api.test"',
      }),
    );
  });
});

describe('a request over a template', () => {
  const url = 'https://api.test/';

  test('headers are merged without regard to case; the request wins', () => {
    const { headers } = apply(
      { headers: { Authorization: 'template', 'x-kept': '1', 'X-List': ['a', 'b'] } },
      { url, headers: { authorization: 'request', 'x-list': 'c' } },
    );
    expect(headers).toEqual({ authorization: 'request', 'x-kept': '1', 'x-list': 'c' });
  });

  test('params are merged, also with null and arrays', () => {
    const template = { params: { a: 1, b: [1, 2], c: 'x' } };
    expect(apply(template, { url, params: { b: 3, d: null } }).params).toEqual({
      ...{ a: 1, b: 3, c: 'x', d: null },
    });
  });

  test('other fields are replaced whole', () => {
    const template: RequestTemplate = { retry: { maximumAttempts: 9 }, timeout: '5m' };
    expect(apply(template, { url, retry: { initialInterval: 1 } })).toEqual({
      ...{ url, retry: { initialInterval: 1 }, timeout: '5m' },
    });
  });

  test.each<[keyof RequestSpec, unknown]>([
    ['body', ''],
    ['json', null],
    ['json', false],
    ['form', {}],
    ['bodyBase64', ''],
  ])('its %s replaces a body of any kind', (field, value) => {
    for (const template of [
      { body: 'x' },
      { json: 1 },
      { form: { a: 1 } },
      { bodyBase64: 'AA==' },
    ]) {
      expect(apply(template, { url, [field]: value })).toEqual({ url, [field]: value });
      expect(mergeTemplates(template, { [field]: value })).toEqual({ [field]: value });
    }
  });

  test("without a body has the template's", () => {
    expect(apply({ json: null }, { url, timeout: 1 })).toEqual({ url, json: null, timeout: 1 });
  });

  test('a field that is undefined says nothing', () => {
    const template: RequestTemplate = { baseUrl: url, timeout: 5, json: 1, headers: { a: '1' } };
    const nothing = { timeout: undefined, body: undefined, headers: undefined, baseUrl: undefined };
    expect(apply(template, { url: 'x', ...nothing } as never)).toEqual({
      ...{ url: 'https://api.test/x', timeout: 5, json: 1, headers: { a: '1' } },
    });
  });

  test('the queue and the base are not sent', () => {
    const template = { baseUrl: url, taskQueue: 'elsewhere' };
    expect(apply(template, { url: 'x' })).toEqual({ url: 'https://api.test/x' });
  });

  test('one request leaves nothing for the next', () => {
    const template: RequestTemplate = { headers: { a: '1' }, params: { p: 1 } };
    const first = applyTemplate(template, { url, headers: { secret: 'x' }, params: { q: 2 } });
    first.headers!['later'] = 'y';
    first.params!['later'] = 'z';
    expect(applyTemplate(template, { url })).toEqual({ url, ...template });
    expect(template).toEqual({ headers: { a: '1' }, params: { p: 1 } });
  });
});

test.each<[unknown, string]>([
  ['api.test/v1?token=hidden#hidden', '"api.test/v1"'],
  ['//user:hidden@api.test', 'one that cannot be parsed'],
  [17, 'a number'],
  [{ toString: 1 }, 'a object'],
])('a base URL %j that is none is quoted without what is secret', (baseUrl, quoted) => {
  expect(() => apply({ baseUrl } as RequestTemplate, { url: 'x' })).toThrow(
    `baseUrl: expected an absolute URL, got ${quoted}`,
  );
});

test('secrets and preprocessors pass through a template, which stays as it is', () => {
  const template: RequestTemplate = {
    baseUrl: 'https://api.test/v1',
    headers: { Authorization: { $secret: 'A', prefix: 'Bearer ' }, 'x-other': { $secret: 'B' } },
    params: { key: { $secret: 'C' } },
    preprocessors: ['stamp', 'sign'],
  };
  expect(apply(template, { url: 'a', headers: { authorization: { $secret: 'D' } } })).toEqual({
    url: 'https://api.test/v1/a',
    headers: { authorization: { $secret: 'D' }, 'x-other': { $secret: 'B' } },
    params: { key: { $secret: 'C' } },
    preprocessors: ['stamp', 'sign'],
  });
  expect(apply(template, { url: 'a', preprocessors: [] }).preprocessors).toEqual([]);
});
